//! Plugins: what they want back at their next call, which of them were loaded, and what operators granted to them.
//!
//! Invariant: a plugin's state is opaque here; a grant is for one component, by its digest, and never carries over.

use understudy_protocol::ServiceName;

use crate::{Store, StoreError};

/// A component that was loaded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPlugin {
    /// Its name.
    pub name: String,
    /// Its version, as it says.
    pub version: String,
    /// Of the component's bytes, as the runtime writes it.
    pub digest: String,
    /// Where it was loaded from.
    pub path: String,
    /// When it was last loaded, in milliseconds since the Unix epoch.
    pub loaded_at_ms: i64,
}

/// A right that an operator gave to a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginGrant {
    /// The right, as the runtime writes it.
    pub permission: String,
    /// Who gave it.
    pub granted_by: String,
    /// When, in milliseconds since the Unix epoch.
    pub granted_at_ms: i64,
}

impl Store {
    /// What a plugin asked to be given back for this service.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn plugin_state(&self, service: &ServiceName, plugin: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let service = service.as_str();
        sqlx::query_scalar!(
            "SELECT state FROM plugin_state WHERE service = ?1 AND plugin = ?2",
            service,
            plugin
        )
        .fetch_optional(self.readers())
        .await
        .map_err(|e| self.broken(e))
    }

    /// Keeps it. The same state again costs no write: a probe may say it every second.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn put_plugin_state(&self, service: &ServiceName, plugin: &str, state: &[u8]) -> Result<(), StoreError> {
        if self.plugin_state(service, plugin).await?.as_deref() == Some(state) {
            return Ok(());
        }
        let service = service.as_str();
        sqlx::query!(
            "INSERT INTO plugin_state (service, plugin, state) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET state = excluded.state",
            service,
            plugin,
            state
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(())
    }

    /// Writes down that a component was loaded.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn plugin_loaded(&self, plugin: &KnownPlugin) -> Result<(), StoreError> {
        let KnownPlugin {
            name,
            version,
            digest,
            path,
            loaded_at_ms,
        } = plugin;
        sqlx::query!(
            "INSERT INTO plugins (name, version, digest, path, loaded_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET
                 version = excluded.version, path = excluded.path, loaded_at_ms = excluded.loaded_at_ms",
            name,
            version,
            digest,
            path,
            loaded_at_ms
        )
        .execute(self.writer())
        .await
        .map_err(|e| self.broken(e))?;
        Ok(())
    }

    /// All components that were ever loaded, by name, the last loaded of each first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn plugins(&self) -> Result<Vec<KnownPlugin>, StoreError> {
        sqlx::query_as!(
            KnownPlugin,
            "SELECT name, version, digest, path, loaded_at_ms FROM plugins ORDER BY name, loaded_at_ms DESC"
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))
    }

    /// What was granted to a component.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn plugin_grants(&self, plugin: &str, digest: &str) -> Result<Vec<PluginGrant>, StoreError> {
        sqlx::query_as!(
            PluginGrant,
            "SELECT permission, granted_by, granted_at_ms FROM plugin_grants
             WHERE plugin = ?1 AND digest = ?2 ORDER BY permission",
            plugin,
            digest
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| self.broken(e))
    }

    /// Replaces what is granted to a component, in one transaction. The audit log is the caller's.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn set_plugin_grants(
        &self,
        plugin: &str,
        digest: &str,
        permissions: &[String],
        granted_by: &str,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        sqlx::query!(
            "DELETE FROM plugin_grants WHERE plugin = ?1 AND digest = ?2",
            plugin,
            digest
        )
        .execute(write.on())
        .await
        .map_err(|e| self.broken(e))?;
        for permission in permissions {
            sqlx::query!(
                "INSERT INTO plugin_grants (plugin, digest, permission, granted_by, granted_at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                plugin,
                digest,
                permission,
                granted_by,
                at_ms
            )
            .execute(write.on())
            .await
            .map_err(|e| self.broken(e))?;
        }
        write.commit().await
    }
}
