//! Signing in: what is typed, and where it leads.

use axum::http::StatusCode;

use crate::testing::Site;

#[tokio::test]
async fn an_account_is_asked_for_and_what_is_typed_is_looked_at() {
    let site = Site::with_images(Vec::new());
    let page = site.get("/account?back=/drives/a.1/back-up/account").await;
    assert!(page.body.contains("value=\"/drives/a.1/back-up/account\""), "{}", page.body);
    for foreign in ["//evil.example", "https://evil.example/", "/drives/%0d%0aevil:", "/quit"] {
        let page = site.get(&format!("/account?back={foreign}")).await;
        assert!(page.body.contains("name=\"back\" value=\"\""), "{foreign}: {}", page.body);
    }
    for (typed, why) in [("http://keys.example.org", "https://"), ("two words", "That is no server")] {
        let answer = site.post("/account/login", &[("server", typed)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains(why) && answer.body.contains(typed), "{}", answer.body);
    }
    let begun = site.post("/account/login", &[("server", "https://127.0.0.1:1")]).await;
    let end = site.outcome(begun).await;
    assert!(end.body.contains("This device is not signed in"), "{}", end.body);
    assert!(end.body.contains("cannot be reached now"), "{}", end.body);
    for path in ["/account/nobody/log-out", "/account/nobody/look", "/account/nobody/send"] {
        assert_ne!(site.post(path, &[]).await.status, StatusCode::SEE_OTHER, "{path}");
    }
    assert_eq!(site.get("/account/nobody/log-out").await.status, StatusCode::NOT_FOUND);
}
