//! What must hold of the whole room.

use super::*;

fn none(_: &str) -> Option<String> {
    None
}

const MINIMAL: &str = include_str!("../../config/minimal.toml");
const TYPICAL: &str = include_str!("../../config/typical.toml");

#[test]
fn the_minimal_configuration_loads() {
    let loaded = load_text("minimal.toml", MINIMAL, &none).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.fleet.services.len(), 1);
    assert_eq!(loaded.fleet.endpoints.len(), 2);
    assert_eq!(loaded.warnings.render(false), "no problems in 1 file.");
}

#[test]
fn the_typical_configuration_loads() {
    let loaded = load_text("typical.toml", TYPICAL, &none).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.fleet.pools.len(), 3);
}

#[test]
fn the_demo_configuration_loads_alone() {
    let text = include_str!("../../config/demo.toml");
    let loaded = load_text("demo.toml", text, &none).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.fleet.endpoints.len(), 6);
    assert_eq!(loaded.warnings.len(), 0, "{}", loaded.warnings);
}

#[test]
#[ignore]
fn look() {
    let path = std::env::var("LOOK").unwrap();
    match load(Path::new(&path), &|name| std::env::var(name).ok()) {
        Ok(loaded) => println!("{}\n{:#}", loaded.warnings, loaded.effective()),
        Err(problems) => println!("{problems}"),
    }
}
