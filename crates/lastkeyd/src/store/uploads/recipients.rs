//! To whom an account's records are sealed.

/// An account's recipients, its own key first, and which account each is.
#[derive(Default)]
pub(super) struct Recipients(Vec<(String, Option<String>)>);

impl Recipients {
    pub(super) fn push(&mut self, name: String, account: Option<String>) {
        self.0.push((name, account));
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Returns the account that a recipient is. Only the owner says whom it trusts: a device cannot put records before
    /// the eyes of others by naming their keys.
    pub(super) fn reader(&self, recipient: &str) -> Option<&String> {
        self.0.iter().find(|(name, _)| name == recipient)?.1.as_ref()
    }
}
