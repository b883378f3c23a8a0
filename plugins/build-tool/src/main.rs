//! Writes the C header, source and component type of one world of `wit/` into a folder.
//!
//! It is `wit-bindgen c` as a program of this workspace: its version is pinned by the same lock file as that of the Rust bindings,
//! and nothing has to be installed for it.

use std::path::Path;
use std::{env, error::Error, fs};

use wit_bindgen_core::Files;
use wit_parser::Resolve;

const USAGE: &str = "usage: understudy-plugin-bindings WIT-FOLDER WORLD OUTPUT-FOLDER";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [wit, world, output] = arguments.as_slice() else {
        return Err(USAGE.into());
    };
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default()
        .build()
        .generate(&mut resolve, world, &mut files)?;
    fs::create_dir_all(output)?;
    for (name, contents) in files.iter() {
        let path = Path::new(output).join(name);
        // What has not changed keeps its time, so that nothing is compiled again.
        if fs::read(&path).ok().as_deref() != Some(contents) {
            fs::write(path, contents)?;
        }
    }
    Ok(())
}
