//! PostgreSQL: each database is empty, and what it has committed outlives a kill.

use lastkey_tests::postgres::postgres;

#[test]
fn each_database_is_new_and_holds_what_it_is_given() {
    let Some(postgres) = postgres() else { return };
    let (one, other) = (postgres.database(), postgres.database());
    assert_ne!(one, other);
    postgres.query(&one, "CREATE TABLE keys (id TEXT); INSERT INTO keys VALUES ('a'), ('B')");
    // Sorted as people do, unlike bytes.
    assert_eq!(postgres.query(&one, "SELECT id FROM keys ORDER BY id"), "a\nB");
    assert_eq!(postgres.query(&other, "SELECT to_regclass('keys') IS NULL"), "t");
    assert_eq!(postgres.query(&one, "SHOW fsync"), "on");
}

#[test]
fn what_is_committed_outlives_a_kill_and_nothing_runs_after_it() {
    let Some(mut postgres) = postgres() else { return };
    let url = postgres.database();
    postgres.query(&url, "CREATE TABLE keys (id INT)");
    for round in 1..=3 {
        postgres.query(&url, &format!("INSERT INTO keys VALUES ({round})"));
        postgres.kill();
        assert_eq!(processes_with(&postgres.data().display().to_string()), 0);
        postgres.start();
        assert_eq!(postgres.query(&url, "SELECT count(*) FROM keys"), round.to_string());
    }
    let data = postgres.data();
    drop(postgres);
    assert_eq!(processes_with(&data.display().to_string()), 0);
    assert!(!data.exists());
}

/// Counts processes with an argument.
fn processes_with(argument: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).split('\0').any(|word| word == argument)).count()
}
