//! Encodes each world of `wit/` as the section by which a component says what it is. `wit-bindgen` does this for one world a
//! crate; a crate that serves several has to do it for itself.

use std::path::Path;
use std::{env, error::Error, fs};

use wit_component::{StringEncoding, metadata};
use wit_parser::Resolve;

const WIT: &str = "../../wit";
const WORLDS: [(&str, &str); 3] = [("FAULT_PROBE", "fault-probe"), ("DRAIN", "drain"), ("SERVER", "server")];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={WIT}");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(WIT)?;
    let mut source = String::new();
    for (name, world) in WORLDS {
        let world = resolve.select_world(&[package], Some(world))?;
        let section = metadata::encode(&resolve, world, StringEncoding::UTF8, None)?;
        let length = section.len();
        source += &format!("pub const {name}: [u8; {length}] = {section:?};\n");
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("worlds.rs"), source)?;
    Ok(())
}
