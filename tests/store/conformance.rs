//! The tests inside the server's crate, which are SQLite's by themselves, once more on PostgreSQL.

use std::path::Path;
use std::process::Command;

use lastkey_tests::lastkeyd::unit_tests;
use lastkey_tests::postgres::postgres_with;
use lastkey_tests::said::Said;

/// It asks SQLite itself.
const SQLITE_ONLY: &str = "a_connection_on_which_not_all_was_answered_is_not_used_again";

#[test]
fn the_servers_own_tests_pass_on_postgresql() {
    // Each test has connections of its own, and a server's own tests run side by side.
    let Some(postgres) = postgres_with(&["max_connections=400"]) else { return };
    let url = postgres.database();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("crates/lastkeyd");
    let mut tests = Command::new(unit_tests());
    tests.args(["--skip", SQLITE_ONLY]);
    let said = Said::of(tests.env("LASTKEYD_TEST_DATABASE", &url).current_dir(folder).output().unwrap());
    said.exits(0).says("test result: ok");
    let made = postgres.query(&url, "SELECT count(*) FROM pg_database WHERE datname LIKE 'unit_%'");
    assert!(made.parse::<u32>().unwrap() > 50, "only {made} tests had a database there");
}
