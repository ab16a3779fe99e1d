home-title = Systemsteuerung
home-search = Was möchten Sie tun?
home-search-go = Suchen
home-security = System und Sicherheit

search-nothing = Nichts gefunden. Versuchen Sie „sichern“, „entsperren“, den Namen eines Laufwerks oder den Anfang einer Schlüssel-ID.
search-key = hat die Schlüssel-ID { $id }
search-copy = { $kind }: { $place }

# Aufgaben, und was man sonst dafür eintippt
task-back-up = Wiederherstellungsschlüssel sichern
task-back-up-words = sichern sicherung speichern drucken kopie papier usb stick datei konto backup 48 ziffern schlüssel
task-unlock = Laufwerk entsperren
task-unlock-words = öffnen entsperren blauer bildschirm wiederherstellung gesperrt kennwort passwort schlüssel
task-lock = Laufwerk sperren
task-files = Dateien ansehen
task-files-words = dateien kopieren herunterladen retten ordner dokumente fotos durchsuchen
task-find = Schlüssel finden
task-find-words = suchen verloren wo schlüssel-id wiederherstellungsschlüssel
task-verify = Kopie eines Schlüssels prüfen
task-verify-words = prüfen beweisen testen richtig papier foto
task-mend = Beschädigten Schlüssel wiederherstellen
task-mend-words = reparieren vertippt unleserlich verblasst fehlende ziffern falsch schlüssel
task-copies = Wo die Kopien sind
task-copies-words = liste sicherungen verzeichnis orte verlauf
task-account = Konto
task-account-words = anmelden server lastkeyd online einstellungen

drives-title = BitLocker-Laufwerkverschlüsselung
drives-title-words = laufwerke bitlocker zustand status schutz system sicherheit
drives-lead = Bewahren Sie von jedem Wiederherstellungsschlüssel eine Kopie an einem Ort auf, der nicht mit gesperrt wird.
drives-hidden = In einige Laufwerke lässt sich nur mit Administratorrechten hineinsehen.
drives-show-hidden = Zeigen
drives-hidden-how = Starten Sie lastkey panel als Administrator, um zu sehen, was sie sind.

group-system = Betriebssystemlaufwerk
group-fixed = Festplattenlaufwerke
group-removable = Wechseldatenträger – BitLocker To Go
group-image = Abbilddateien
group-empty = Keines ist angeschlossen.

drive-off = BitLocker deaktiviert
drive-hidden = Es fehlen die Rechte, hineinzusehen
drive-damaged = BitLocker, aber die Metadaten sind nicht lesbar: { $why }
drive-locked = BitLocker aktiviert, gesperrt
drive-unlocked = BitLocker aktiviert, entsperrt
drive-suspended = BitLocker angehalten
drive-encrypting = BitLocker verschlüsselt, { $percent } %
drive-decrypting = BitLocker entschlüsselt, { $percent } %
drive-protectors = Öffnet sich mit
drive-key-ids = Schlüssel-ID
drive-exposed = Nicht gesichert
drive-exposed-why = Es ist keine Kopie des Wiederherstellungsschlüssels bekannt, die das Laufwerk öffnet. Sichern Sie ihn jetzt, solange Sie können.
drive-no-key = Es hat keinen Wiederherstellungsschlüssel: Wer vergisst, was es öffnet, kommt nicht mehr hinein. Windows kann einen hinzufügen.
drive-copy = { $kind }, { $place }: hat das Laufwerk am { $when } geöffnet

protector-clear = nichts (angehalten)
protector-tpm = TPM
protector-external = Schlüsseldatei
protector-tpm-startup = TPM und Systemstartschlüssel
protector-tpm-pin = TPM und PIN
protector-tpm-pin-startup = TPM, PIN und Systemstartschlüssel
protector-recovery = Wiederherstellungsschlüssel
protector-certificate = Zertifikat oder Smartcard
protector-network = Netzwerkentsperrung
protector-password = Kennwort
protector-unknown = etwas, das nur Windows öffnet

place-account = Konto
place-usb = USB-Speicherstick
place-file = Datei
place-paper = Papier
place-directory = Verzeichnisdienst
place-manager = Kennwortmanager
place-other = Anderer Ort
