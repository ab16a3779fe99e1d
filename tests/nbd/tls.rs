//! TLS, with certificates that openssl makes and GnuTLS, which libnbd stands on, judges.

use std::fs;
use std::path::{Path, PathBuf};

use lastkey_tests::makers::run;
use rustix::process::Signal;

use crate::place::drive;
use crate::server::{Server, client, has_clients, hash, must};

/// A folder with an authority and certificates from it, named as libnbd wants them.
struct Certificates(PathBuf);

impl Certificates {
    /// `None`, loudly, when openssl is missing.
    fn make(folder: &Path) -> Option<Self> {
        fs::create_dir(folder).expect("a folder");
        let file = |name: &str| folder.join(name).to_str().expect("plain text").to_owned();
        let key =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        let authority =
            ["-subj", "/CN=authority", "-keyout", &file("ca-key.pem"), "-out", &file("ca-cert.pem")];
        run("openssl", [&key[..], &authority].concat()).then_some(())?;
        for (name, names) in [("server", "DNS:localhost,IP:127.0.0.1"), ("client", "DNS:client")] {
            let (certificate, key_file) =
                (file(&format!("{name}-cert.pem")), file(&format!("{name}-key.pem")));
            let (subject, names) = (format!("/CN={name}"), format!("subjectAltName={names}"));
            let signed = [
                "-CA",
                &file("ca-cert.pem"),
                "-CAkey",
                &file("ca-key.pem"),
                "-subj",
                &subject,
                "-addext",
                &names,
                "-addext",
                "basicConstraints=critical,CA:false",
                "-keyout",
                &key_file,
                "-out",
                &certificate,
            ];
            run("openssl", [&key[..], &signed].concat()).then_some(())?;
        }
        Some(Self(folder.to_owned()))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Serves a drive with these; `ca` says whose clients may come in.
    fn serve(&self, drive: &Path, bek: &Path, ca: Option<&Self>) -> Server {
        let (certificate, key) = (self.file("server-cert.pem"), self.file("server-key.pem"));
        let ca = ca.map(|certificates| certificates.file("ca-cert.pem"));
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![
            &drive,
            &"--bek",
            &bek,
            &"--listen",
            &"127.0.0.1:0",
            &"--tls-cert",
            &certificate,
            &"--tls-key",
            &key,
        ];
        if let Some(ca) = &ca {
            arguments.extend([&"--tls-ca" as &dyn AsRef<std::ffi::OsStr>, ca]);
        }
        Server::start(&arguments)
    }

    fn uri(&self, server: &Server) -> String {
        format!("{}?tls-certificates={}", server.uri.replace("127.0.0.1", "localhost"), self.0.display())
    }
}

#[test]
fn over_tls_clients_with_a_certificate_read_and_others_learn_nothing() {
    let (folder, drive, bek) = drive();
    let certificates = |name| Certificates::make(&folder.path().join(name));
    let (Some(own), Some(other), true) = (certificates("own"), certificates("other"), has_clients()) else {
        return;
    };
    let plain = Server::start(&[&drive, &"--bek", &bek]);
    let expected = hash(&plain.uri, &[]);

    let mut server = own.serve(&drive, &bek, Some(&own));
    assert!(server.uri.starts_with("nbds://127.0.0.1:"), "{}", server.uri);
    let uri = own.uri(&server);
    let info = must("nbdinfo", &[&uri]);
    assert!(info.contains("with TLS"), "{info}");
    assert_eq!(hash(&uri, &[]), expected);
    assert_eq!(hash(&uri, &["--connections=4", "--request-size=1048576"]), expected);

    // The server's name is right, and the client is somebody else's.
    let forged = folder.path().join("forged");
    fs::create_dir(&forged).expect("a folder");
    fs::copy(own.file("ca-cert.pem"), forged.join("ca-cert.pem")).expect("a copy");
    for name in ["client-cert.pem", "client-key.pem"] {
        fs::copy(other.file(name), forged.join(name)).expect("a copy");
    }
    assert!(!client("nbdinfo", &[&"--size", &Certificates(forged).uri(&server)]).status.success());
    let unencrypted = server.uri.replace("nbds:", "nbd:");
    let output = client("nbdinfo", &[&"--list", &unencrypted]);
    assert!(!output.status.success());
    assert!(!String::from_utf8_lossy(&output.stdout).contains("export"));
    assert_eq!(hash(&uri, &[]), expected);
    let (code, said) = server.end(Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(said.contains("a client was turned away: TLS: "), "{said}");
    assert!(!said.contains("every user of this computer"), "{said}");
}

#[test]
fn without_an_authority_everybody_may_come_in_over_tls() {
    let (folder, drive, bek) = drive();
    let (Some(own), true) = (Certificates::make(&folder.path().join("own")), has_clients()) else { return };
    let mut server = own.serve(&drive, &bek, None);
    assert_eq!(must("nbdinfo", &[&"--size", &own.uri(&server)]).trim(), (0xe_0000).to_string());
    let (_, said) = server.end(Signal::TERM);
    assert!(said.contains("every user of this computer"), "{said}");
}

#[test]
fn certificates_that_do_not_fit_are_refused_before_a_key_is_asked_for() {
    let (folder, drive, _) = drive();
    let Some(own) = Certificates::make(&folder.path().join("own")) else { return };
    let pem = |name: &str| own.file(name);
    let run = |certificate: PathBuf, key: PathBuf| {
        let mut command = lastkey_tests::program::lastkey();
        command.arg("nbd").arg(&drive).arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
        let output = command.stdin(std::process::Stdio::null()).output().expect("the program");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(pem("server-cert.pem"), pem("client-key.pem"));
    assert!(code == Some(2) && said.contains("do not go together"), "{said}");
    let (code, said) = run(pem("server-key.pem"), pem("server-cert.pem"));
    assert!(code == Some(2) && said.contains("the certificate cannot be used"), "{said}");
    let (code, said) = run(pem("missing.pem"), pem("server-key.pem"));
    assert!(code == Some(12) && said.contains("missing.pem"), "{said}");
}
