//! Serving: the listener, its limits, and its end.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsAcceptor;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::app::{App, Settings};
use crate::config::{Config, Tls};
use crate::connections::Bounded;
use crate::error::Error;
use crate::store::{Log, Store};
use crate::{commands, log, notices, portal, private, routes, tls};

/// How long a new connection may take until its first request, and each request until its headers are there.
const HEADERS: Duration = Duration::from_secs(10);
/// How long requests that are being answered may take when the server ends.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until the system asks it to end.
///
/// # Errors
/// When it cannot start.
pub async fn serve(config: &Config) -> Result<(), Error> {
    log::start(config.log, &config.log_level)?;
    let figures =
        PrometheusBuilder::new().install_recorder().map_err(|error| Error::Internal(error.to_string()))?;
    let app = open(config).await?;
    commands::keep_url(&app).await?;
    let secured = tls::secure(config).await?;
    let listener = std::net::TcpListener::bind(config.listen)
        .map_err(|error| tls::no_listener(config.listen, &error))?;
    let handle = Handle::new();
    tokio::spawn(end(handle.clone()));
    tokio::spawn(notices::deliver(app.clone(), notices::Ways::new(config)?));
    if let Some(address) = config.metrics {
        let metrics =
            std::net::TcpListener::bind(address).map_err(|error| tls::no_listener(address, &error))?;
        tokio::spawn(show_figures(metrics, figures.clone(), app.clone(), handle.clone()));
    }
    tokio::spawn(keep_figures(figures));
    greet(config, &app, secured.fingerprint.as_deref()).await?;

    let acceptor = RustlsAcceptor::new(secured.config).acceptor(Bounded::new(app.settings.clone()));
    let mut server = axum_server::from_tcp(listener)
        .map_err(|error| tls::no_listener(config.listen, &error))?
        .acceptor(acceptor)
        .handle(handle)
        .first_request_timeout(HEADERS);
    server.http_builder().http1().header_read_timeout(HEADERS);
    server
        .http_builder()
        .http2()
        .keep_alive_interval(HEADERS)
        .keep_alive_timeout(HEADERS)
        .max_concurrent_streams(16);
    let service = routes::router(&app).into_make_service_with_connect_info::<SocketAddr>();
    server.serve(service).await.map_err(|error| Error::Internal(error.to_string()))?;
    app.store.close().await;
    tracing::info!("ended");
    Ok(())
}

/// Opens what handlers need.
///
/// # Errors
/// When the database cannot be opened.
pub async fn open(config: &Config) -> Result<App, Error> {
    let settings = Settings {
        url: config.url.clone(),
        host: config.host.clone(),
        hosts: config.hosts.clone(),
        proxies: config.proxies.clone(),
        lasting_tls: config.tls != Tls::Own,
    };
    private::folder(&config.data)
        .map_err(|error| Error::Internal(format!("{}: {error}", config.data.display())))?;
    let log = Log::open(&config.data.join("audit.key"), &format!("{}/audit", config.host))?;
    Ok(App { store: Store::open(config.database.url(), log).await?, settings: Arc::new(settings) })
}

/// Says where it is, and how the first account is made.
async fn greet(config: &Config, app: &App, fingerprint: Option<&str>) -> Result<(), Error> {
    let mut out = anstream::stdout().lock();
    let mut lines = vec![
        format!("lastkeyd {}", env!("CARGO_PKG_VERSION")),
        format!("  portal       {}", config.url),
        format!("  listening    {}", config.listen),
        format!("  data         {}", config.data.display()),
        format!("  database     {}", config.database),
    ];
    if let Some(fingerprint) = fingerprint {
        lines.push(format!("  certificate  its own; SHA-256 {fingerprint}"));
    }
    if let Some(code) = portal::first_invitation(app).await? {
        lines.push(String::new());
        lines.push(format!("No account yet. Make the first one: {}/welcome#{code}", config.url));
        lines.push(format!("(or open {}/welcome and type {code}; good for an hour, and once)", config.url));
    }
    lines.push(String::new());
    // Who closed our output does not want to read it.
    let _ = writeln!(out, "{}", lines.join("\n"));
    let _ = out.flush();
    Ok(())
}

/// Ends the server when the system asks.
async fn end(handle: Handle<SocketAddr>) {
    #[cfg(unix)]
    let asked = async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = term.recv() => Ok(()),
            result = tokio::signal::ctrl_c() => result,
        }
    };
    #[cfg(not(unix))]
    let asked = tokio::signal::ctrl_c();
    let asked: io::Result<()> = asked.await;
    if let Err(error) = asked {
        tracing::warn!(%error, "signals are not heard: end it with SIGKILL");
        return;
    }
    tracing::info!("ending: what is being answered is answered");
    handle.graceful_shutdown(Some(GRACE));
}

/// Answers figures and health where no person is.
async fn show_figures(
    listener: std::net::TcpListener,
    figures: PrometheusHandle,
    app: App,
    handle: Handle<SocketAddr>,
) {
    let router =
        Router::new()
            .route(
                "/metrics",
                get(move || async move {
                    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], figures.render())
                }),
            )
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(app);
    let serving = match axum_server::from_tcp(listener) {
        Ok(server) => server.handle(handle).serve(router.into_make_service()).await,
        Err(error) => Err(error),
    };
    if let Err(error) = serving {
        tracing::error!(%error, "figures are not shown");
    }
}

/// Whether the database answers.
pub async fn ready(State(app): State<App>) -> impl IntoResponse {
    match sqlx::query("SELECT 1").execute(app.store.readers()).await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

/// Lets the figures forget what is old.
async fn keep_figures(figures: PrometheusHandle) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        figures.run_upkeep();
    }
}
