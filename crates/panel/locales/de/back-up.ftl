# Wie überall gesprochen wird
told-quoted = { $text }

# Vor dem Sichern
back-up-title = Wiederherstellungsschlüssel sichern
back-up-nothing-title = Es gibt keinen Schlüssel zu sichern
back-up-not-encrypted = Dieses Laufwerk ist nicht verschlüsselt und hat daher keinen Schlüssel.
back-up-data-key-only = Dieses Laufwerk wurde mit seinem Datenschlüssel allein geöffnet; der zeigt die Wiederherstellungsschlüssel nicht. Entsperren Sie es mit einem Kennwort oder einem Wiederherstellungsschlüssel.
back-up-no-key = Dieses Laufwerk hat weder einen Wiederherstellungsschlüssel noch einen externen Schlüssel. In Windows fügt ein Administrator einen hinzu: manage-bde -protectors -add LAUFWERK: -recoverypassword
back-up-not-bitlocker = Dieses Laufwerk ist nicht mit BitLocker verschlüsselt.
back-up-damaged = Was BitLocker über dieses Laufwerk geschrieben hat, ist nicht lesbar; seine Schlüssel lassen sich daher nicht zeigen.
back-up-unreadable = Dieses Laufwerk lässt sich gerade nicht lesen.
back-up-to-drives = Alle Laufwerke
back-up-lead = Wie möchten Sie den Wiederherstellungsschlüssel von { $drive } sichern? Sperrt das Laufwerk Sie einmal aus, führt nur dieser Schlüssel zurück.
back-up-keys = { $count ->
    [one] Es hat einen Schlüssel.
   *[other] Es hat { $count } Schlüssel; alle werden gesichert.
}
back-up-key-ids = Schlüssel-ID: { $keys }
back-up-how = Jede Kopie wird dort, wo sie liegt, wieder gelesen und am Laufwerk ausprobiert. Erst dann heißt sie gesichert.

# Die Wege
way-account = In Ihrem Konto speichern
way-account-good = Sie erreichen den Schlüssel von jedem Telefon oder Computer aus, auch wenn dieser hier fort ist.
way-account-bad = Es hilft nicht, solange der Server nicht erreichbar ist.
way-account-some = Angemeldet: { $names }
way-account-none = Dieses Gerät ist bei keinem Konto angemeldet.
way-account-sign-in = Anmelden
way-usb = Auf einem USB-Stick speichern
way-usb-good = Es braucht kein Netz und niemand anderen, und Windows findet den Schlüssel darauf.
way-usb-bad = Ein Stick ist leicht verloren und in der Tasche des gestohlenen Computers nutzlos.
way-usb-some = Eingesteckt: { $names }
way-usb-none = Kein USB-Laufwerk ist eingesteckt. Stecken Sie eines ein und wählen Sie dann dies.
way-file = In einer Datei speichern
way-file-good = In einem Ordner auf einem anderen Laufwerk oder einer Netzwerkfreigabe wird er mit allem anderen dort gesichert.
way-file-bad = Wer den Ordner lesen kann, kann das Laufwerk öffnen, es sei denn, Sie versiegeln die Datei.
way-file-now = Jeder Ordner, der nicht auf diesem Laufwerk liegt
way-print = Wiederherstellungsschlüssel drucken
way-print-good = Papier überlebt jeden Computer, und jeder kann davon abtippen.
way-print-bad = Feuer, Wasser und Besucher kommen daran.
way-print-some = Drucker: { $names }
way-print-none = Dieser Computer kennt keinen Drucker. Nennen Sie einen mit seiner Adresse, oder speichern Sie die Seite und drucken Sie sie anderswo:
way-pdf = Die Seite als PDF speichern
way-directory = In Active Directory speichern
way-directory-good = Der Helpdesk Ihrer Organisation findet ihn wie die Schlüssel, die Windows dort speichert.
way-directory-bad = Administratoren dort können Ihr Laufwerk öffnen.
way-directory-now = Sie brauchen einen Benutzer, der dort Schlüssel hinzufügen darf
way-passwords = In einem Kennwortmanager speichern
way-passwords-good = Er liegt verschlüsselt bei Ihren Kennwörtern und kommt mit, wohin Sie diese mitnehmen.
way-passwords-bad = Es hilft nicht, wenn der Kennwortmanager nur auf dem gesperrten Gerät ist.
way-passwords-now = KeePass, oder eine Datei für Bitwarden und 1Password

# Die Formulare
form-save = Speichern und prüfen
form-again = Noch einmal dasselbe
form-password = Kennwort
form-nothing-done = Es wurde nichts gespeichert.
form-empty-password = Das Kennwort ist leer.
form-typed-differently = Die beiden sind nicht gleich. Was einmal falsch getippt ist, ließe sich nie wieder öffnen.
usb-which = Welches Laufwerk?
usb-free = { $size } frei
usb-none = Kein USB-Laufwerk ist eingesteckt.
usb-look-again = Noch einmal nachsehen
usb-choose = Wählen Sie ein Laufwerk.
usb-gone = Dieses Laufwerk ist nicht mehr eingesteckt.
usb-explain = Was auf dem Laufwerk ist, bleibt unberührt. Der Schlüssel kommt daneben, in der Form, in der Windows ihn speichert.
folder-which = Welcher Ordner?
folder-other = Ein anderer Ordner
folder-path = Pfad eines anderen Ordners
folder-path-hint = Der ganze Pfad, etwa /media/freigabe/schluessel. Den Ordner muss es geben.
back-up-choose-folder = Wählen Sie einen Ordner, oder geben Sie an, wo er ist.
back-up-whole-path = „{ $path }“ ist kein ganzer Pfad: Beginnen Sie ganz oben.
file-explain = Die Datei hat die Form, in der Windows sie speichert. Eine Datei, die schon da ist, wird nie überschrieben.
file-seal = Die Datei versiegeln
file-seal-explain = Eine versiegelte Datei öffnet sich nur mit dem, was Sie hier wählen, auf jedem System, mit dem freien Programm age oder mit lastkey.
file-seal-how = Wie?
file-seal-not = Nicht versiegelt: Wer die Datei hat, kann das Laufwerk öffnen
file-seal-passphrase = Mit einer Passphrase
file-seal-recipients = An Empfänger, deren andere Hälfte sie öffnet
file-seal-wrong = So lässt sich die Datei nicht versiegeln.
file-passphrase = Passphrase
file-recipients = Empfänger
file-recipients-hint = Öffentliche Schlüssel, die mit age1 beginnen, je Zeile einer
pdf-explain = Die Seite wird erstellt, geschrieben und an ihren Bildpunkten wieder gelesen, wie ein Scanner es täte. Wer die Datei hat, kann das Laufwerk öffnen: Löschen Sie sie nach dem Drucken.
print-which = Welcher Drucker?
print-none = Dieser Computer kennt keinen Drucker.
print-other = Ein Drucker im Netz
print-address = Adresse des Druckers
print-address-hint = Sie beginnt mit ipp:// oder ipps://, etwa ipp://192.168.1.20/ipp/print
print-address-wrong = Die Adresse eines Druckers beginnt mit ipp:// oder ipps://.
print-choose = Wählen Sie einen Drucker.
print-paper = Papier
print-go = Drucken
print-preview = Druckvorschau
print-preview-show = Die Seite zeigen
print-preview-careful = Auf ihr steht der Schlüssel. Sehen Sie sich erst um.
print-preview-of = Die Seite mit dem Wiederherstellungsschlüssel der Schlüssel-ID { $key }, wie sie gedruckt wird
print-explain = Bevor sie gesendet wird, wird die Seite an ihren Bildpunkten gelesen und muss den Schlüssel sagen. Das Blatt selbst prüfen Sie danach mit einem Foto davon.
account-which = Welches Konto?
account-opens = Hier versiegelt, zu öffnen von: { $names }
account-none = Dieses Gerät ist noch bei keinem Konto angemeldet.
account-choose = Wählen Sie ein Konto.
account-explain = Der Schlüssel wird auf diesem Computer versiegelt. Der Server kann ihn nicht öffnen; Sie tun es, angemeldet auf irgendeinem Gerät.
directory-server = Server
directory-server-hint = Der Name eines Domänencontrollers, etwa dc1.example.com
directory-computer = Computer
directory-computer-hint = Sein Name im Verzeichnis, oder sein definierter Name
directory-user = Benutzer
directory-user-hint = ada@example.com oder BEISPIEL\ada
directory-own-ca = Das Zertifikat des Servers ist von einer eigenen Stelle Ihrer Organisation
directory-ca = Datei mit dem Zertifikat dieser Stelle (PEM)
directory-incomplete = Geben Sie Server und Computer an.
directory-address-wrong = Das ist kein Server oder kein Computer.
directory-explain = Der Schlüssel kommt unter den Computer, wohin Windows ihn gelegt hätte. Das Kennwort geht verschlüsselt an diesen Server allein und wird nicht aufbewahrt.
keepass-title = KeePass
keepass-explain = Der Schlüssel wird ein Eintrag der Datenbank. Nichts anderes darin wird geändert.
keepass-which = Welche Datenbank?
keepass-other = Eine andere, oder eine neue
keepass-path = Pfad der Datenbank
keepass-path-hint = Eine Datei, die auf .kdbx endet. Ist sie nicht da, wird sie angelegt.
keepass-password = Kennwort der Datenbank
keepass-more = Sie ist neu, oder hat eine Schlüsseldatei
keepass-again = Das Kennwort noch einmal, für eine neue Datenbank
keepass-key-file = Schlüsseldatei
import-title = Bitwarden oder 1Password
import-explain = Sie bekommen eine Datei, die der Kennwortmanager importiert. Jeder kann den Schlüssel darin lesen: Löschen Sie sie nach dem Import.
import-manager = Kennwortmanager

# Wie es vorangeht
back-up-saving = Wiederherstellungsschlüssel wird gesichert
back-up-step-place = Der Ort wird angesehen: { $place }
back-up-step-save = Der Schlüssel mit der Schlüssel-ID { $key } wird gespeichert
back-up-step-save-metadata = Was ein zerstörtes Laufwerk neben dem Schlüssel braucht, wird gespeichert
back-up-step-read = Von dort wird zurückgelesen
back-up-step-prove = Das Gelesene wird am Laufwerk ausprobiert
back-up-step-deliver = An den Server wird gesendet und seine Quittung geprüft
back-up-step-note = Im Verzeichnis der Kopien wird es vermerkt
back-up-step-remove = Es wird wieder entfernt

# Das Ende
backed-up-title = Ihr Wiederherstellungsschlüssel ist gesichert
backed-up-summary = Der Schlüssel von { $drive } wurde dort, wo er jetzt ist, zurückgelesen, und das Gelesene hat das Laufwerk geöffnet.
backed-up-printed-title = Die Seite ist gedruckt
backed-up-printed-summary = Der Drucker sagt, er habe die Seite für { $drive } gedruckt. Das ist noch keine Sicherung: Prüfen Sie das Blatt mit einem Foto oder Scan davon.
backed-up-stored-title = Ihr Wiederherstellungsschlüssel ist abgelegt, nicht geprüft
backed-up-stored-summary = Der Schlüssel von { $drive } ist dort, ließ sich aber nicht zurücklesen. Speichern Sie ihn noch an einem weiteren Ort.
backed-up-waiting-title = Ihr Wiederherstellungsschlüssel wartet aufs Senden
backed-up-waiting-summary = Der Schlüssel von { $drive } liegt versiegelt auf diesem Computer und noch nicht beim Server. Das ist keine Sicherung: Speichern Sie ihn jetzt noch an einem weiteren Ort.
backed-up-partly-title = Nicht alle Schlüssel sind gesichert
backed-up-partly-summary = Einige Schlüssel von { $drive } sind gesichert, andere nicht.
backed-up-stopped-title = Sie haben es angehalten
backed-up-stopped-summary = Kein Schlüssel von { $drive } wurde gespeichert.
backed-up-failed-title = Ihr Wiederherstellungsschlüssel ist nicht gesichert
backed-up-failed-summary = Der Schlüssel von { $drive } wurde nicht gespeichert.
backed-up-nothing-left = Wo eine Kopie misslang, blieb nichts Halbes zurück, und nichts, was da war, wurde verändert.
backed-up-damaged = Der Schlüssel mit der Schlüssel-ID { $key } ist auf dem Laufwerk beschädigt und lässt sich nicht sichern. Fügen Sie in Windows einen neuen hinzu und sichern Sie diesen.
backed-up-no-metadata = Was ein zerstörtes Laufwerk neben dem Schlüssel braucht, wurde nicht gespeichert:
backed-up-no-record = Die Kopie ist so gut, wie sie ist, ließ sich aber nicht im Verzeichnis der Kopien vermerken:
backed-up-copies = Wo alle Kopien sind
back-up-holds-none = Auf diesem Weg lässt sich die Art Schlüssel, die dieses Laufwerk hat, nicht aufbewahren. Speichern Sie ihn auf einem USB-Laufwerk oder in einer Datei.
back-up-no-printer = Dieser Computer kennt keinen Drucker { $name } mehr.
back-up-no-account = Dieses Gerät ist beim Konto { $name } nicht mehr angemeldet.
copy-key = Schlüssel-ID { $key }
copy-metadata = Die Metadaten des Laufwerks
copy-proven = Geprüft am { $time }: zurückgelesen, und sie hat das Laufwerk geöffnet
copy-intact = Verglichen am { $time }: kein Schlüssel, öffnet aber zusammen mit einem das Laufwerk, wenn dessen eigene Metadaten zerstört sind
copy-printed = Gedruckt, nicht geprüft, bis Sie das Blatt geprüft haben
copy-stored = Abgelegt, nicht geprüft.
copy-waiting = Wartet, noch nicht gesichert.
now-title = Was jetzt zu tun ist
now-usb-out = Werfen Sie den Stick aus, falls Ihr System ihn noch zeigt, und ziehen Sie ihn ab.
now-usb-keep = Bewahren Sie ihn fern vom Computer auf, wo Sie ihn in einem Jahr finden. Schreiben Sie darauf, was er ist.
now-file = Vergewissern Sie sich, dass Sie den Ordner erreichen, wenn dieser Computer nicht startet.
now-pdf-print = Drucken Sie die Datei, und prüfen Sie das Blatt mit einem Foto davon.
now-pdf-delete = Löschen Sie die Datei, wenn das Blatt geprüft ist: Wer sie hat, kann das Laufwerk öffnen.
now-paper-keep = Bewahren Sie das Blatt bei Ihrem Pass und anderen Papieren auf, die Sie nicht verlieren, nie beim Computer.
now-print-check = Nehmen Sie das Blatt aus dem Drucker, fotografieren oder scannen Sie es, und lassen Sie es prüfen.
now-account = Vergewissern Sie sich, dass Sie sich auf einem anderen Gerät anmelden können, etwa Ihrem Telefon.
now-directory = Nichts. Sperrt das Laufwerk Sie einmal aus, nennen Sie dem Helpdesk die Schlüssel-ID.
now-passwords = Vergewissern Sie sich, dass Sie Ihren Kennwortmanager auf einem anderen Gerät öffnen können. Haben Sie eine Datei für einen Import gespeichert, importieren Sie sie und löschen Sie sie dann.
now-check-sheet = Das Blatt prüfen
instead-title = Was Sie stattdessen tun können
instead-again = Diesen Weg noch einmal versuchen
one-more-title = Eine Kopie ist nicht genug
one-more = Sticks gehen kaputt, Papier brennt, Server schließen. Eine zweite Kopie an einem anderen Ort überdauert jeden davon.
one-more-go = Noch eine Kopie anlegen

# Wo Kopien sind
at-usb = Auf dem USB-Laufwerk { $place }
at-print = Auf Papier, vom Drucker { $place }
at-account = Im Konto { $place }
at-directory = Im Verzeichnis, { $place }
at-keepass = In der KeePass-Datenbank { $place }
at-pdf = Im PDF { $place }
at-import = In der Datei { $place }, für einen Kennwortmanager
at-file = In der Datei { $place }

# Warum nicht
refused-on-the-drive = { $place } liegt auf dem Laufwerk selbst: Ist es gesperrt, wäre sein Schlüssel mit eingesperrt.
refused-on-bitlocker = { $place } liegt auf einem anderen BitLocker-Laufwerk, das gerade offen ist: Was Sie aus einem Laufwerk eines Computers aussperrt, sperrt meist auch die anderen. Sichern Sie erst dessen eigenen Schlüssel anderswo.
refused-no-folder = { $place } ist kein Ordner, den es gibt.
refused-unusable = { $place } lässt sich nicht verwenden.
refused-unseen = { $place } lässt sich nicht ansehen.
failed-already-there = { $place } ist schon da und blieb, wie es ist.
failed-there-good = { $place } war schon da und ist eine gute Kopie: Sie wurde jetzt gelesen und hat das Laufwerk geöffnet.
failed-there-other = { $place } ist schon da und öffnet das Laufwerk nicht. Es blieb, wie es ist: Sehen Sie es an und schieben Sie es beiseite, bevor Sie noch einmal speichern.
failed-full = In { $place } ist kein Platz mehr.
failed-not-permitted = In { $place } dürfen Sie nicht schreiben.
failed-read-only = { $place } lässt sich nur lesen.
failed-taken = { $place } hat schon { $name }; das blieb, wie es ist.
failed-unreachable = { $place } ist nicht erreichbar.
failed-locked = { $place } öffnet sich nicht.
failed-rejected = { $place } hat es nicht angenommen.
failed-io = { $place } ließ sich nicht schreiben.
failed-read-back = Die Kopie wurde gespeichert, ließ sich aber nicht zurücklesen und wurde daher entfernt.
failed-not-proven = Was zurückgelesen wurde, öffnet das Laufwerk nicht und wurde daher entfernt.
failed-not-removed = Eine Kopie, die keine Sicherung ist, ließ sich nicht aus { $place } entfernen. Entfernen Sie sie selbst.
warned-same-disk = Auf demselben Datenträger wie das Laufwerk: Geht er kaputt, ist beides fort.
warned-fixed-drive = Der oberste Ordner eines Laufwerks, das im Computer bleibt: Wer den Computer stiehlt, hat den Schlüssel dazu.
warned-in-memory = Im Arbeitsspeicher: fort, wenn der Computer ausgeschaltet wird.
warned-network = Auf einem anderen Computer: Wer dort lesen kann, kann den Schlüssel lesen.
warned-unknown = Worauf dieser Ordner liegt, ist nicht zu sehen: Vergewissern Sie sich, dass es nicht das gesperrte Laufwerk ist.
warned-other-bitlocker = Auf einem anderen BitLocker-Laufwerk, dessen eigener Schlüssel anderswo eine geprüfte Kopie hat.

# Alle Kopien
copies-title = Wo Ihre Wiederherstellungsschlüssel sind
copies-lead = Was dieser Computer von den Kopien Ihrer Schlüssel weiß, und wann jede zuletzt ihr Laufwerk geöffnet hat.
copies-none = Noch wurde kein Laufwerk gesehen und kein Schlüssel gesichert.
copies-unreadable = Das Verzeichnis der Kopien lässt sich nicht lesen.
copies-exposed = Nicht gesichert
copies-exposed-explain = Keine geprüfte Kopie seines Schlüssels ist bekannt. Sperrt dieses Laufwerk Sie aus, ist alles darauf verloren.
copies-exposed-first = { $count ->
    [one] Ein Laufwerk hat keine geprüfte Kopie seines Schlüssels.
   *[other] { $count } Laufwerke haben keine geprüfte Kopie ihres Schlüssels.
}
copies-safe = { $count ->
    [one] Eine geprüfte Kopie
   *[other] { $count } geprüfte Kopien
}
copies-back-up = Jetzt sichern
copies-one-more = Noch eine Kopie anlegen
copies-check = Eine Kopie noch einmal prüfen
copies-absent = Gerade nicht angeschlossen. Zuletzt gesehen am { $time } als { $drive }
copies-saved = Gespeichert am { $time }
copies-proven = Geprüft am { $time }
copies-failed = Misslungen am { $time }:
copies-never = Abgelegt am { $time }, nie geprüft
copies-waiting = Wartet seit { $time }, noch nicht gesichert:
copies-stale = Das Laufwerk hat diesen Schlüssel nicht mehr; ältere Abbilder davon öffnet er noch
copies-not-needed = Nicht verschlüsselt: Es braucht keinen Schlüssel.
copies-caption = Kopien der Schlüssel von { $drive }
