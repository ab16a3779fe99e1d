//! The interface for devices is what its OpenAPI document says, tried by a program that knows nothing else of it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastkey_tests::judges::{Known, schemathesis};
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::said::Said;
use lastkey_tests::visitor::Visitor;
use serde_json::{Value, json};

use crate::device::Device;

const KEY_ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";

#[test]
fn schemathesis_finds_nothing_in_what_the_document_says() {
    let server = Lastkeyd::start(&[]);
    let mut ada = Visitor::new(&server);
    ada.make_account(&server, "Ada");
    let device = Device::let_in(&mut ada, &server, "judge");
    let record = device.record(KEY_ID, &device.seal(b"a key"));
    let receipt: Value = serde_json::from_slice(&device.post("/api/v1/records", &record).bytes).unwrap();
    let stranger = Device::stranger(&server);
    let asked = json!({ "name": "a stranger", "public_key": stranger.id });
    let login: Value = serde_json::from_slice(&stranger.post("/api/v1/device-logins", &asked).bytes).unwrap();
    let document = Said::of(server.command(&["openapi"])).exits(0).out.clone();
    let key = |device: &Device| STANDARD.encode(device.key.to_bytes().expose());
    let known = Known {
        device: (&device.id, &key(&device)),
        stranger: (&stranger.id, &key(&stranger)),
        login: login["id"].as_str().unwrap(),
        record: &record,
        receipt: receipt["record"].as_str().unwrap(),
    };
    let Some((said, answered)) = schemathesis(&server.url(""), &server.certificate(), &document, &known)
    else {
        return;
    };
    said.exits(0);
    // It got beyond the door of each: what it found nothing in has answered it.
    let document: Value = serde_json::from_str(&document).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, operations)| {
        operations.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    let well: BTreeSet<_> = answered
        .iter()
        .filter(|answer| (200..300).contains(&answer.1))
        .map(|answer| answer.0.as_str())
        .collect();
    for operation in operations {
        let all: BTreeSet<_> =
            answered.iter().filter(|(asked, _)| *asked == operation).map(|(_, status)| status).collect();
        assert!(well.contains(operation.as_str()), "{operation} was answered {all:?} only");
    }
    assert!(server.log().lines().all(|line| !line.contains("\"ERROR\"")), "{}", server.log());
}
