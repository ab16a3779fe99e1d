//! The pages.

mod account;
mod assets;
mod back_up;
mod copies;
mod drives;
mod files;
mod find;
mod found;
mod home;
mod jobs;
mod leave;
mod mend;
mod rights;
mod start;
mod unlock;
mod verify;

use crate::answer::Error;
use crate::app::App;
use crate::inventory::Drive;
use crate::routes::Route;

/// Returns the routes of all pages.
pub fn routes() -> Vec<Route> {
    let groups = [
        account::routes(),
        assets::routes(),
        back_up::routes(),
        copies::routes(),
        drives::routes(),
        files::routes(),
        find::routes(),
        found::routes(),
        home::routes(),
        jobs::routes(),
        leave::routes(),
        mend::routes(),
        rights::routes(),
        start::routes(),
        unlock::routes(),
        verify::routes(),
    ];
    groups.into_iter().flatten().collect()
}

/// Does what blocks, in a thread where that is allowed.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Internal(format!("the work ended early: {error}")))
}

/// Returns the drive of an address, as it is now.
async fn drive(app: &App, id: String) -> Result<Drive, Error> {
    let app = app.clone();
    blocking(move || app.inventory.drive(&id)).await?.ok_or(Error::DriveGone)
}
