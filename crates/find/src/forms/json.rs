//! JSON: Microsoft Graph, PowerShell, Bitwarden and whatever else exports in it.

use recovery_key::Secret;
use serde_json::Value;

use super::record::{self, Field};

/// As values JSON takes many times its length: a longer one is read as a plain text.
const SIZE_LIMIT: usize = 16 << 20;
/// How far around a key its key ID is looked for.
const SCOPE_LIMIT: usize = 200;

/// Reads a text as JSON, and returns its keys each below its key ID; `None` when it is no JSON.
pub(super) fn text(text: &str) -> Option<Secret<String>> {
    let body = text.trim_start();
    if !body.starts_with(['{', '[']) || text.len() > SIZE_LIMIT {
        return None;
    }
    let value = Kept(serde_json::from_str(body).ok().or_else(|| lines(body))?);
    let mut out = record::room(text.len() * 2);
    visit(&value.0, &mut Vec::new(), out.expose_mut());
    Some(out)
}

/// One value on each line.
fn lines(text: &str) -> Option<Value> {
    let values = text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
    Some(Value::Array(values.collect::<Result<_, _>>().ok()?))
}

/// A value whose texts are wiped in the end.
struct Kept(Value);

impl Drop for Kept {
    fn drop(&mut self) {
        fn wipe(value: Value) {
            match value {
                Value::String(text) => drop(Secret::new(text)),
                Value::Array(values) => values.into_iter().for_each(wipe),
                Value::Object(fields) => fields.into_iter().for_each(|(_, value)| wipe(value)),
                _ => {}
            }
        }
        wipe(self.0.take());
    }
}

/// Writes a record for every object with a key in it.
fn visit<'v>(value: &'v Value, around: &mut Vec<&'v Value>, out: &mut String) {
    let children: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(values) => values.iter().collect(),
        Value::String(text) if around.is_empty() => {
            return record::put(&[Field { name: "", value: text }], out);
        }
        _ => return,
    };
    if children.iter().any(|child| child.as_str().is_some_and(has_digits)) {
        let mut fields = own(value);
        if !fields.iter().any(|field| record::has_guid(field.value)) {
            fields = widened(around).unwrap_or(fields);
        }
        record::put(&fields, out);
    }
    around.push(value);
    children.into_iter().filter(|child| !child.is_string()).for_each(|child| visit(child, around, out));
    around.pop();
}

fn has_digits(text: &str) -> bool {
    Field { name: "", value: text }.has_digits()
}

/// The texts that stand in an object itself.
fn own(value: &Value) -> Vec<Field<'_>> {
    let field = |name, value: &'_ Value| Some((name, value.as_str()?.len())).map(|(name, _)| name);
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(name, value)| {
                field(name, value).and(value.as_str()).map(|value| Field { name, value })
            })
            .collect(),
        Value::Array(values) => {
            values.iter().filter_map(|value| Some(Field { name: "", value: value.as_str()? })).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the fields of the nearest object around that has a GUID, as long as it has one key only.
fn widened<'v>(around: &[&'v Value]) -> Option<Vec<Field<'v>>> {
    for value in around.iter().rev() {
        let mut fields = Vec::new();
        flatten("", value, &mut fields);
        if fields.len() >= SCOPE_LIMIT || fields.iter().filter(|field| field.has_digits()).count() > 1 {
            return None;
        }
        if fields.iter().any(|field| record::has_guid(field.value)) {
            return Some(fields);
        }
    }
    None
}

/// Lists all texts in a value; an object `{"name": ..., "value": ...}` is a field itself.
fn flatten<'v>(name: &'v str, value: &'v Value, fields: &mut Vec<Field<'v>>) {
    if fields.len() >= SCOPE_LIMIT {
        return;
    }
    match value {
        Value::String(value) => fields.push(Field { name, value }),
        Value::Array(values) => values.iter().for_each(|value| flatten(name, value, fields)),
        Value::Object(object) => {
            let text = |name: &str| object.get(name).and_then(Value::as_str);
            if let (Some(name), Some(value)) = (text("name"), text("value")) {
                fields.push(Field { name, value });
            } else {
                object.iter().for_each(|(name, value)| flatten(name, value, fields));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "284867-596541-514998-422114-660297-261613-215424-199408";
    const ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";
    const OTHER: &str = "11111111-2222-4333-8444-555555555555";

    #[test]
    fn keys_get_the_key_id_of_their_object() {
        for json in [
            // As Microsoft Graph gives it.
            format!(r#"{{"value":[{{"id":"{ID}","volumeType":"1","deviceId":"{OTHER}","key":"{KEY}"}}]}}"#),
            // As PowerShell gives a volume.
            format!(
                r#"[{{"MountPoint":"C:","KeyProtector":[{{"KeyProtectorId":"{{{ID}}}","RecoveryPassword":"{KEY}"}}]}}]"#
            ),
            // As Bitwarden exports an entry.
            format!(
                r#"{{"items":[{{"id":"{OTHER}","name":"x"}},{{"fields":[{{"name":"Key ID","value":"{ID}"}}],"login":{{"password":"{KEY}"}}}}]}}"#
            ),
            // One object on each line.
            format!("{{\"a\":1}}\n{{\"key_id\":\"{ID}\",\"key\":\"{KEY}\"}}\n"),
        ] {
            let text = text(&json).expect("JSON");
            assert_eq!(text.expose(), &format!("{ID}\n{KEY}\n|\n\n"), "{json}");
        }
        assert!(text("{ no json").is_none());
        assert!(text("text").is_none());
    }

    #[test]
    fn a_key_id_of_another_key_is_not_borrowed() {
        let json = format!(r#"[{{"id":"{ID}","key":"{KEY}"}},{{"key":"{KEY}"}}]"#);
        assert_eq!(text(&json).expect("JSON").expose(), &format!("{ID}\n{KEY}\n|\n\n{KEY}\n|\n\n"));
    }
}
