# Schlüssel suchen
find-lead = Gefunden werden Schlüssel in Texten, Tabellen, PDF- und Office-Dokumenten, Fotos der gedruckten Seite, Archiven und .BEK-Dateien, wie immer sie heißen. Nichts wird irgendwohin gesendet.
find-key = Schlüssel-ID (freiwillig)
find-key-hint = Die ersten acht Zeichen genügen. Ohne sie wird jeder Schlüssel aufgezählt.
find-where = Wo gesucht wird
find-home = Ihre eigenen Ordner
find-sticks = USB-Sticks und Speicherkarten
find-no-sticks = jetzt ist keiner eingehängt
find-folder = Ein anderer Ordner oder eine Datei
find-go = Suchen
find-account = In Ihrem Konto nachsehen
find-no-key-id = Das ist keine Schlüssel-ID. Geben Sie mindestens ihre ersten acht Zeichen ein: Ziffern und Buchstaben von A bis F.
find-no-folder = Einen solchen Ordner oder eine solche Datei gibt es nicht, oder Sie dürfen nicht hineinsehen.
find-nowhere = Wählen Sie, wo gesucht wird.
find-searching = Suche läuft: { $files } Dateien, { $rate } je Sekunde
find-trying = Die Schlüssel werden an den Laufwerken versucht
find-found = { $count ->
    [one] Ein Schlüssel wurde gefunden
   *[other] { $count } Schlüssel wurden gefunden
}
find-none = Kein Schlüssel wurde gefunden
find-none-advice = Schlüssel können auch auf Papier stehen, auf USB-Sticks, in einem Konto oder im Verzeichnis einer Organisation. Von einem neuen Computer liegt der Schlüssel oft im Microsoft-Konto dessen, der ihn eingerichtet hat.
find-stopped = Die Suche wurde angehalten. Das hier wurde bis dahin gefunden.
find-key-id = Schlüssel-ID { $id }
find-no-id = Schlüssel ohne Schlüssel-ID
find-conflict = Unter dieser Schlüssel-ID stehen verschiedene Schlüssel. Höchstens einer davon ist richtig.
find-opens = Öffnet { $drive }, bewiesen
find-fails = Steht unter einer Schlüssel-ID von { $drive } und öffnet es nicht
find-also-under = Derselbe Schlüssel steht auch unter der Schlüssel-ID { $id }: Eine davon ist falsch
find-unlock = Entsperren
find-where-found = Gefunden in
find-more = { $count ->
    [one] und einmal mehr
   *[other] und { $count } weitere
}
find-show = Schlüssel zeigen
find-others = { $count ->
    [one] Ein anderer Schlüssel wurde gefunden, nach dem nicht gefragt war.
   *[other] { $count } andere Schlüssel wurden gefunden, nach denen nicht gefragt war.
}
find-left-out = Viele Schlüssel haben keine Schlüssel-ID. Sie wurden nicht an den Laufwerken versucht, weil das lange dauern würde.
find-wrong = { $count ->
    [one] Ein Text sieht wie ein Schlüssel aus, und eine Ziffer darin ist falsch
   *[other] { $count } Texte sehen wie Schlüssel aus, und Ziffern darin sind falsch
}
find-mend = Herausfinden, was gemeint war
find-sealed = { $count ->
    [one] Eine Datei ist mit einem Kennwort versiegelt: Prüfen Sie sie damit
   *[other] { $count } Dateien sind mit Kennwörtern versiegelt: Prüfen Sie sie damit
}
find-not-permitted = { $count ->
    [one] Eine Datei oder einen Ordner dürfen Sie nicht lesen
   *[other] { $count } Dateien oder Ordner dürfen Sie nicht lesen
}
find-too-large = { $count ->
    [one] Eine Datei ist zu groß
   *[other] { $count } Dateien sind zu groß
}
find-spoilt-page = { $count ->
    [one] Ein Bild einer Seite ist zu unscharf zum Lesen
   *[other] { $count } Bilder von Seiten sind zu unscharf zum Lesen
}
find-share = { $count ->
    [one] Ein Blatt trägt einen Teil eines Schlüssels: Entsperren Sie das Laufwerk mit allen zugleich
   *[other] { $count } Blätter tragen Teile von Schlüsseln: Entsperren Sie das Laufwerk mit allen zugleich
}
find-in-cloud = { $count ->
    [one] Eine Datei liegt nur in der Cloud
   *[other] { $count } Dateien liegen nur in der Cloud
}
find-other-file-system = { $count ->
    [one] Ein Ordner liegt auf einem anderen Laufwerk und wurde nicht durchsucht
   *[other] { $count } Ordner liegen auf anderen Laufwerken und wurden nicht durchsucht
}
find-unreadable = { $count ->
    [one] Eine Datei lässt sich nicht lesen, oder nicht in dieser Form
   *[other] { $count } Dateien lassen sich nicht lesen, oder nicht in ihrer Form
}
find-files = { $count ->
    [one] Eine Datei wurde durchsucht.
   *[other] { $count } Dateien wurden durchsucht.
}
find-again = Woanders suchen

# Ein Schlüssel, gezeigt
shown-title = Wiederherstellungsschlüssel
shown-explain = Wer diese Ziffern sieht, kann das Laufwerk öffnen. Diese Seite vergisst sie, wenn Sie sie verlassen.
shown-hide = Schlüssel verbergen

# Eine Kopie prüfen
verify-lead = Eine Kopie zählt, wenn sie das Laufwerk geöffnet hat. Wählen Sie sie so, wie Sie sie finden würden: das Foto der Seite, die Datei auf dem USB-Stick.
verify-drive = Laufwerk
verify-any-drive = Welches sie auch öffnet
verify-path = Oder ihr Pfad auf diesem Computer
verify-path-hint = Wenn das Verzeichnis der Kopien sie kennt, vermerkt es, dass sie noch gut ist.
verify-go = Prüfen
verify-reading = Die Kopie wird gelesen
verify-trying = Sie wird an { $drive } versucht
verify-proven = Die Kopie öffnet { $drive }
verify-not-proven = Die Kopie öffnet { $drive } nicht
verify-nothing = Die Kopie konnte nicht geprüft werden
verify-opens = Der Schlüssel mit der Schlüssel-ID { $id } hat das Laufwerk gerade eben geöffnet.
verify-other-drive = Der Schlüssel mit der Schlüssel-ID { $id } ist der eines anderen Laufwerks.
verify-mislabelled = Der Schlüssel öffnet das Laufwerk, steht aber unter der Schlüssel-ID { $id }, und seine eigene ist { $own }: Niemand würde ihn finden.
verify-digits = Die Ziffern unter der Schlüssel-ID { $id } sind kein Wiederherstellungsschlüssel: Mindestens eine ist falsch.
verify-wrong-key = Der Schlüssel unter der Schlüssel-ID { $id } ist ein gültiger Wiederherstellungsschlüssel und öffnet das Laufwerk nicht.
verify-failed = Der Schlüssel unter der Schlüssel-ID { $id }: { $why }
verify-snapshot = Das sind die Metadaten des Laufwerks, wie sie jetzt sind. Ein Schlüssel ist das nicht.
verify-snapshot-old = Das sind die Metadaten des Laufwerks, wie sie einmal waren. Ein Schlüssel ist das nicht.
verify-snapshot-other = Das sind die Metadaten eines anderen Laufwerks und kein Schlüssel.
verify-noted = Als bewiesen vermerkt: { $place }
verify-away = { $drive } lässt sich jetzt nicht lesen: Es lässt sich nichts sagen.
verify-no-drive = Es ist kein BitLocker-Laufwerk da, an dem sie sich versuchen ließe. Schließen Sie es zuerst an.
verify-advice = Machen Sie eine neue Kopie, solange Sie das Laufwerk öffnen können.
verify-again = Noch eine Kopie prüfen

# Einen Schlüssel ausbessern
mend-lead = Geben Sie ein, was sich lesen lässt, und ? für jede Ziffer, die sich nicht lesen lässt. Was der Schlüssel gewesen sein kann, wird am Laufwerk versucht, das Wahrscheinlichste zuerst.
mend-drive = Laufwerk
mend-choose = Wählen Sie das Laufwerk
mend-digits = Was sich lesen lässt
mend-digits-hint = Ein Feld darf leer bleiben und zu wenige oder zu viele Ziffern haben. Sie können alles in das erste einfügen.
mend-consider = Sehen, wie lange es dauert
mend-no-digits = Da sind keine Ziffern.
mend-foreign = Da ist etwas, das weder eine Ziffer ist noch ein ? für eine.
mend-too-long = Das sind zu viele Ziffern für einen Wiederherstellungsschlüssel.
mend-no-groups = Diese Ziffern zerfallen nicht in Gruppen zu sechs. Geben Sie sie in die Felder ein.
mend-no-drive = Wählen Sie das Laufwerk, zu dem der Schlüssel gehört: Nur dieses kann es sagen.
mend-no-key = Dieses Laufwerk hat keinen Wiederherstellungsschlüssel.
mend-known = Was bekannt ist
mend-groups = { $count } von 8 Gruppen sind da
mend-group-wrong = mindestens eine Ziffer ist falsch
mend-group-unreadable = { $count ->
    [one] eine Ziffer ist unlesbar
   *[other] { $count } Ziffern sind unlesbar
}
mend-group-unknown = nichts ist bekannt
mend-much = Zu viel fehlt: Selbst das Wahrscheinlichste dauert länger als einen Tag. Jede Ziffer mehr, die sich lesen lässt, macht es zehnmal kürzer.
mend-rate = Dieser Computer versucht { $rate } Schlüssel je Sekunde.
mend-how-far = Wie weit gesucht wird
mend-as-read = So, wie es gelesen wurde
mend-one-slip = Mit einem Versehen: eine falsche Ziffer, zwei vertauschte, eine ausgelassene
mend-two-slips = Mit zwei Versehen
mend-three-slips = Mit drei Versehen
mend-takes = { $count } Schlüssel, bis zu { $time }
mend-go = Suchen
mend-change = Eingabe ändern
mend-searching = Versucht wird, was der Schlüssel von { $drive } gewesen sein kann
mend-mended = Der Schlüssel ist ausgebessert
mend-none = Der Schlüssel wurde nicht gefunden
mend-found = Der Wiederherstellungsschlüssel mit der Schlüssel-ID { $id } öffnet { $drive }.
mend-was-right = Alles war richtig eingegeben.
mend-was-wrong = Anders als eingegeben: Gruppe { $groups }.
mend-was-order = Die Gruppen standen in einer anderen Reihenfolge.
mend-flaw = Bewiesen ist er aber nicht: { $why }
mend-advice = Sichern Sie ihn jetzt, an einem Ort, an dem er lesbar bleibt.
mend-not-found = Keiner der { $count } Schlüssel öffnet das Laufwerk.
mend-not-found-advice = Vergleichen Sie die Schlüssel-ID. Markieren Sie jede Ziffer, bei der Sie nicht sicher sind, mit ?, oder gehen Sie weiter.
mend-stopped = Angehalten bei { $at } von { $count }.
mend-again = Noch einmal versuchen
time-seconds = { $count ->
    [one] eine Sekunde
   *[other] { $count } Sekunden
}
time-minutes = { $count ->
    [one] eine Minute
   *[other] { $count } Minuten
}
time-hours = { $count ->
    [one] eine Stunde
   *[other] { $count } Stunden
}
time-days = { $count ->
    [one] einen Tag
   *[other] { $count } Tage
}
time-years = { $count ->
    [one] ein Jahr
   *[other] { $count } Jahre
}
time-forever = mehr als eine Million Jahre
