//! How a body becomes a page.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use web::{Frame, Icon, Language, Link, Page};

use super::shelf;
use crate::error::Error;
use crate::sign_in::Refused;

const MENU: [Link<'static>; 4] = [
    Link { path: "/", text: "Keys" },
    Link { path: "/devices", text: "Devices" },
    Link { path: "/account", text: "Account" },
    Link { path: "/history", text: "History" },
];

/// What a page says about what was just tried.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Whether it is bad news.
    pub bad: bool,
    /// What it says.
    pub text: String,
    /// The status of the answer.
    pub status: StatusCode,
    /// After how many seconds to try again.
    pub retry: Option<u64>,
}

impl Notice {
    /// Says that something was done.
    pub fn good(text: impl Into<String>) -> Self {
        Self { bad: false, text: text.into(), status: StatusCode::OK, retry: None }
    }

    /// Says why something was not done.
    pub fn bad(status: StatusCode, text: impl Into<String>) -> Self {
        Self { bad: true, text: text.into(), status, retry: None }
    }

    /// Says why what somebody has shown is not enough.
    ///
    /// # Errors
    /// What is no fault of who asks.
    pub fn refused(refused: Refused) -> Result<Self, Error> {
        match refused {
            Refused::Wrong(why) => Ok(Self::bad(StatusCode::UNPROCESSABLE_ENTITY, why)),
            Refused::Failed(Error::Conflict(_, why)) => Ok(Self::bad(StatusCode::UNPROCESSABLE_ENTITY, why)),
            Refused::TooMany(seconds) => Ok(Self {
                retry: Some(seconds),
                ..Self::bad(
                    StatusCode::TOO_MANY_REQUESTS,
                    format!(
                        "There were too many wrong tries. Wait {} and try again; a passkey or your account code may \
                         work at once.",
                        wait(seconds)
                    ),
                )
            }),
            Refused::Failed(error) => Err(error),
        }
    }

    /// Returns the notice's icon.
    pub fn icon(&self) -> Icon {
        if self.bad { Icon::Warning } else { Icon::Good }
    }
}

fn wait(seconds: u64) -> String {
    match seconds {
        1 => "a second".to_owned(),
        2..=120 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// Makes a page of somebody who is signed in.
pub fn inside(
    title: &str,
    here: &str,
    notice: Option<&Notice>,
    body: &impl Template,
) -> Result<Response, Error> {
    whole(title, &MENU, here, notice, body)
}

/// Makes a page for everybody.
pub fn outside(title: &str, notice: Option<&Notice>, body: &impl Template) -> Result<Response, Error> {
    whole(title, &[], "", notice, body)
}

fn whole(
    title: &str,
    menu: &[Link<'_>],
    here: &str,
    notice: Option<&Notice>,
    body: &impl Template,
) -> Result<Response, Error> {
    let broken = |error: askama::Error| Error::Internal(format!("a page could not be made: {error}"));
    let body = body.render().map_err(broken)?;
    let frame = Frame {
        language: Language::English,
        skip: "Skip to the content",
        menu_name: "Main",
        menu,
        here,
        leave: (!menu.is_empty()).then_some(Link { path: "/sign-out", text: "Sign out" }),
        foot: "",
        styles: &[],
        scripts: &[shelf::SCRIPT.path()],
    };
    let page = Page { title, frame, body: &body };
    let mut response = Html(page.render().map_err(broken)?).into_response();
    if let Some(notice) = notice {
        *response.status_mut() = notice.status;
        if let Some(seconds) = notice.retry {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
    Ok(response)
}

#[derive(Template)]
#[template(path = "error.html")]
struct Failure<'f> {
    heading: &'f str,
    message: &'f str,
}

/// Returns a page that says what went wrong.
pub fn error_page(status: StatusCode, message: &str) -> Response {
    let heading = match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "Not yet",
        status if status.is_server_error() => "The server could not do it",
        _ => "This was not done",
    };
    let mut sentence: String = message.chars().take(1).flat_map(char::to_uppercase).collect();
    sentence.extend(message.chars().skip(1));
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    let page = outside(heading, None, &Failure { heading, message: &sentence });
    let mut response = page.unwrap_or_else(|_| status.into_response());
    *response.status_mut() = status;
    response
}

/// Writes a time for people.
pub fn time(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds).map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string());
    time.unwrap_or_else(|_| "an unknown time".to_owned())
}

/// Writes a day for people.
pub fn day(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds).map(|time| time.strftime("%Y-%m-%d").to_string());
    time.unwrap_or_else(|_| "an unknown day".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_said_in_words() {
        assert_eq!(wait(1), "a second");
        assert_eq!(
            (wait(120), wait(121), wait(900)),
            ("120 seconds".to_owned(), "3 minutes".to_owned(), "15 minutes".to_owned())
        );
    }

    #[test]
    fn no_time_is_too_far_away() {
        assert_eq!(time(0), "1970-01-01 00:00 UTC");
        assert_eq!(day(i64::MAX), "an unknown day");
    }
}
