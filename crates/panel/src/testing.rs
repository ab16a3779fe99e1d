//! What the tests of pages need: a panel without a socket, and a browser without a window.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use drives::{Attached, OpenError, Source};
use fve::ReadAt;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::app::{App, Settings};
use crate::computer::{Computer, Denied, Rights};
use crate::door::COOKIE;
use crate::routes;

/// A computer with the drives that a test wants.
#[derive(Default)]
pub struct Simulated {
    /// Its drives.
    pub drives: Vec<Attached>,
}

impl Computer for Simulated {
    fn attached(&self) -> Vec<Attached> {
        self.drives.clone()
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn ReadAt>, OpenError> {
        Source::open(path).map(|source| Arc::new(source) as Arc<dyn ReadAt>)
    }

    fn mark(&self) -> u64 {
        0
    }

    fn rights(&self) -> Rights {
        Rights::None
    }

    fn ask_for_rights(&self) -> Result<(), Denied> {
        Err(Denied::Nobody)
    }
}

/// Returns a real drive; `None`, loudly, where there are none.
pub fn real_drive(file: &str) -> Option<PathBuf> {
    let prepared = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/images");
    let folder = std::env::var_os("LASTKEY_IMAGES_UNPACKED").map_or_else(prepared, PathBuf::from);
    let path = folder.join(file);
    if !path.exists() {
        assert!(std::env::var_os("CI").is_none() || !cfg!(unix), "under CI nothing may be missing: {file}");
        eprintln!("SKIPPED: there is no {}: ./test images unpacks it", path.display());
        return None;
    }
    Some(path)
}

/// A panel, and somebody who has come in.
pub struct Site {
    /// What its pages share.
    pub app: App,
    router: Router,
    cookie: String,
    /// Where the record, the accounts and the home are.
    pub folder: tempfile::TempDir,
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Where it sends the browser.
    pub location: Option<String>,
    /// Its body, as text.
    pub body: String,
}

impl Site {
    /// A panel with these image files.
    pub fn with_images(images: Vec<PathBuf>) -> Self {
        Self::new(Simulated::default(), images)
    }

    /// A panel of a computer.
    pub fn new(computer: impl Computer + 'static, images: Vec<PathBuf>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            computer: Arc::new(computer),
            images,
            record: Some(folder.path().join("record.db")),
            accounts: Some(folder.path().join("accounts")),
            home: Some(folder.path().to_owned()),
            port: 0,
            turn: None,
        };
        let app = App::new(settings, ([127, 0, 0, 1], 4849).into());
        let cookie = format!("{COOKIE}={}", *app.door.enter(&app.door.new_code()).unwrap());
        Self { router: routes::router(&app), app, cookie, folder }
    }

    /// Asks for a page, in English.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    /// Asks for a page in another language.
    pub async fn get_in(&self, language: &str, path: &str) -> Answer {
        let request = self.request("GET", path).header(header::ACCEPT_LANGUAGE, language);
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form: pairs that are URL-encoded here.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request =
            self.request("POST", path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(request.body(Body::from(body)).unwrap()).await
    }

    /// Sends a form with a file: its field, its name, its bytes.
    pub async fn upload(&self, path: &str, form: &[(&str, &str)], file: (&str, &str, &[u8])) -> Answer {
        let mut body = Vec::new();
        for (name, value) in form {
            body.extend(
                format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .into_bytes(),
            );
        }
        let (field, name, bytes) = file;
        let head =
            format!("--x\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\r\n");
        body.extend([head.as_bytes(), bytes, b"\r\n--x--\r\n"].concat());
        let request =
            self.request("POST", path).header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
        self.ask(request.body(Body::from(body)).unwrap()).await
    }

    /// Follows a job to its end, and returns the page that shows what came of it.
    pub async fn outcome(&self, begun: Answer) -> Answer {
        let path =
            begun.location.unwrap_or_else(|| panic!("no job has begun: {} {}", begun.status, begun.body));
        for _ in 0..6000 {
            let part = self.get(&format!("{path}/part")).await;
            if part.status == StatusCode::RESET_CONTENT {
                return self.get(&path).await;
            }
            assert_eq!(part.status, StatusCode::OK, "{}", part.body);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the job does not end");
    }

    /// Sends any request, and returns the answer before its body has come.
    pub async fn respond(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Sends any request.
    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.respond(request).await;
        let location = response.headers().get(header::LOCATION);
        let location = location.map(|value| value.to_str().unwrap().to_owned());
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, location, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// Sends any request, and returns the bytes of its answer.
    pub async fn bytes(&self, request: Request<Body>) -> Vec<u8> {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        response.into_body().collect().await.unwrap().to_bytes().to_vec()
    }

    /// Begins a request as a page of the panel sends it.
    pub fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(path);
        request
            .header(header::HOST, &self.app.host)
            .header(header::COOKIE, &self.cookie)
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "navigate")
    }
}
