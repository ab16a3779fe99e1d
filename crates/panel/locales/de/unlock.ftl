# Kopien, die einer Seite gegeben werden
copy-photo = Seite fotografieren
copy-file = Datei wählen
camera-use = Kamera benutzen
camera-hint = Halten Sie die Seite oder nur ihren QR-Code so nah, dass das Bild scharf ist.
camera-seen = Was die Kamera sieht
camera-take = Bild aufnehmen
camera-none = Es gibt keine Kamera, oder der Browser darf sie nicht benutzen. Wählen Sie ein Foto als Datei.
copy-has-password = Die Datei hat ein eigenes Kennwort
copy-password = Kennwort der Datei
copy-password-needed = Die Datei ist mit einem Kennwort versiegelt. Geben Sie es unter der Datei ein, und wählen Sie die Datei noch einmal.
copy-password-wrong = Das Kennwort der Datei ist falsch. Großbuchstaben und die Sprache der Tastatur zählen.
copy-for-identity = Die Datei ist mit age für jemandes Identität versiegelt. Öffnen Sie sie zuerst: age -d -i IDENTITÄT DATEI
copy-page-unreadable = Die Seite lässt sich nicht lesen: { $why }. Fotografieren Sie sie gerade von oben, bei gleichmäßigem Licht, sodass sie das Bild füllt.
copy-unreadable = Die Datei lässt sich nicht lesen: { $why }
copy-sheets = Die Blätter ergeben zusammen keinen Schlüssel: { $why }

# Entsperren
unlock-title = { $drive } entsperren
unlock-open = Dieses Laufwerk ist verschlüsselt, aber der Schutz ist aus oder angehalten: Es öffnet sich ohne Schlüssel.
unlock-open-go = Öffnen
unlock-by-digits = Mit dem Wiederherstellungsschlüssel
unlock-compare = Sie brauchen den Wiederherstellungsschlüssel mit dieser Schlüssel-ID. Sie steht über oder neben den 48 Ziffern, wo immer sie aufbewahrt werden.
unlock-digits = Wiederherstellungsschlüssel
unlock-digits-hint = Acht Gruppen zu sechs Ziffern. Sie können den ganzen Schlüssel in irgendein Feld einfügen.
unlock-go = Entsperren
unlock-find = Ich weiß nicht, wo der Schlüssel ist: suchen
unlock-by-file = Mit einem Foto oder einer Datei
unlock-file-hint = Ein Foto, ein Scan oder eine PDF-Datei der gedruckten Seite, die Textdatei, die Windows gespeichert hat, eine .BEK-Datei, eine Kennwortdatenbank. Von einem Schlüssel, der auf mehrere Blätter verteilt ist, wählen Sie alle zugleich.
unlock-go-file = Damit entsperren
unlock-by-password = Mit dem Kennwort
unlock-password = Kennwort des Laufwerks
unlock-go-password = Mit dem Kennwort entsperren
unlock-mend = Herausfinden, was gemeint war
unlock-digits-wrong = Diese Ziffern können kein Wiederherstellungsschlüssel sein. Vergleichen Sie sie mit Ihrer Kopie.
unlock-wrong-key = Das ist ein gültiger Wiederherstellungsschlüssel, aber nicht der dieses Laufwerks. Vergleichen Sie die Schlüssel-ID.
unlock-other-key = Das ist der Schlüssel eines anderen Laufwerks: Er hat die Schlüssel-ID { $id }.
unlock-opens-other = Dieser Schlüssel öffnet ein anderes Laufwerk: { $drive } (Schlüssel-ID { $id }).
unlock-wrong-password = Das Kennwort ist falsch. Großbuchstaben und die Sprache der Tastatur zählen.
unlock-no-key = Darin ist kein Schlüssel.
unlock-nothing = Es wurde nichts angegeben.
unlock-no-protector = Mit einem Schlüssel dieser Art öffnet sich dieses Laufwerk nicht.
unlock-locked = Das Laufwerk ist gesperrt: Es öffnet sich nur mit einem Schlüssel.
unlock-failed = Das Laufwerk lässt sich nicht entsperren: { $why }

# Eine Gruppe von Ziffern
group-name = Gruppe { $number }
group-empty-box = ist leer
group-too-short = hat { $digits } von 6 Ziffern
group-too-long = hat { $digits } Ziffern statt 6
group-foreign = enthält etwas, das keine Ziffer ist
group-wrong = hier ist eine Ziffer falsch
group-incomplete = hier fehlen Ziffern

# Die Dateien eines Laufwerks
files-way = Wo Sie sind
files-name = Name
files-size = Größe
files-time = Geändert
files-empty = Dieser Ordner ist leer.
files-zip = Alles herunterladen (ZIP)
files-pages = Seiten
files-first = Zum Anfang
files-next = Weitere Einträge
files-up = Zurück zum Ordner
files-broken = { $count } Einträge dieses Ordners lassen sich nicht lesen: { $why }
files-unreadable = Das lässt sich nicht lesen: { $why }
file-encrypted = Diese Datei ist noch einmal verschlüsselt, mit der Dateiverschlüsselung von Windows (EFS). Nur das Zertifikat ihres Besitzers öffnet sie, kein Schlüssel des Laufwerks.
file-encrypted-short = mit EFS verschlüsselt
file-in-cloud = Von dieser Datei ist nur der Name auf dem Laufwerk. Ihr Inhalt liegt in der Cloud, etwa in OneDrive.
file-in-cloud-short = in der Cloud
file-elsewhere = Den Inhalt dieser Datei bewahrt Windows woanders auf (Deduplizierung oder ein WIM-Abbild); von hier aus lässt er sich nicht lesen.
file-broken = lässt sich nicht lesen
file-link = Verknüpfung
file-link-explain = Das ist eine Verknüpfung mit einem anderen Ort und keine Datei.
archive-left-out = Das ließ sich nicht lesen und ist nicht in diesem Archiv:
