//! The interface for devices is what its OpenAPI document says, tried by a program that knows nothing else of it.

use account::wire::DeviceLoginState;
use account::{Login, Trust, presented};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastkey_tests::judges::{Device, schemathesis};
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::said::Said;

use crate::visitor::Visitor;

#[test]
fn schemathesis_finds_nothing_in_what_the_document_says() {
    let server = Lastkeyd::start(&[]);
    let mut ada = Visitor::new(&server);
    ada.make_account(&server, "Ada");
    let address = server.url("").parse().unwrap();
    let trust = Trust::Pinned(presented(&address).unwrap());
    let mut login = Login::begin(address, trust, "judge").unwrap();
    ada.confirm(login.code().0);
    assert!(matches!(login.state().unwrap(), DeviceLoginState::Confirmed { .. }));
    let (about, key) = login.finish();
    let document = Said::of(server.command(&["openapi"])).exits(0).out.clone();
    let device = Device { id: &about.device, key: &STANDARD.encode(key.to_bytes().expose()) };
    if let Some(said) = schemathesis(&server.url(""), &server.certificate(), &document, &device) {
        said.exits(0);
    }
}
