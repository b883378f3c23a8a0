//! The page in `ui-dist/` is embedded at compile time: a new build of it must rebuild this crate.

fn main() {
    println!("cargo:rerun-if-changed=ui-dist");
    println!("cargo:rerun-if-changed=build.rs");
}
