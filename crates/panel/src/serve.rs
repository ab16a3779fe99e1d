//! The listener.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use tokio::runtime::{Builder, Runtime};

use crate::app::{App, Settings};
use crate::routes;

/// Why the panel does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken, or forbidden.
    #[error("port {port} of this computer cannot be listened on: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no more threads or files.
    #[error("the panel cannot be served: {0}")]
    Serve(#[from] io::Error),
}

/// A panel that listens, and does not answer yet.
pub struct Panel {
    app: App,
    listener: TcpListener,
    runtime: Runtime,
}

impl Panel {
    /// Begins to listen on loopback.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn new(settings: Settings) -> Result<Self, ServeError> {
        let port = settings.port;
        let listen = |source| ServeError::Listen { port, source };
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map_err(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        // One thread answers; what blocks is done by others, which end when they are idle.
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let app = App::new(settings, address);
        if let Some(turn) = &app.settings.turn {
            turn.announce(&app.card.to_bytes())?;
        }
        Ok(Self { app, listener, runtime })
    }

    /// Returns what its pages share.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Returns its address, for a browser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.app.host)
    }

    /// Answers until somebody ends it: a page, or [`App`]'s `end`.
    ///
    /// # Errors
    /// When the system no longer lets it listen.
    pub fn serve(self) -> Result<(), ServeError> {
        let Self { app, listener, runtime } = self;
        let router = routes::router(&app);
        let served = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let ended = app.clone();
            // Whoever still listens for changes of drives is not waited for.
            tokio::select! {
                served = async { axum::serve(listener, router).await } => served,
                () = ended.end.notified() => Ok(()),
            }
        });
        if let Some(turn) = &app.settings.turn {
            turn.clear();
        }
        app.jobs.end_all();
        runtime.shutdown_background();
        Ok(served?)
    }
}
