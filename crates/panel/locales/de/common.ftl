# Um jede Seite
page-skip = Zum Inhalt
page-menu = Hauptmenü
page-quit = Beenden
menu-drives = Laufwerke
menu-find = Schlüssel finden
menu-verify = Kopie prüfen
menu-copies = Kopien
menu-account = Konto

# Die Tür
start-title = Systemsteuerung öffnen
start-explain = Geben Sie den Code ein, den lastkey beim Start gezeigt hat. Bei jedem Start ist es ein neuer.
start-code = Code
start-enter = Öffnen
start-wrong = Das ist ein anderer Code. Sehen Sie noch einmal nach: Er hat acht Buchstaben und Ziffern.
start-none = Dieser Code gilt nicht mehr. Starten Sie lastkey panel noch einmal: Es zeigt einen neuen.
start-go-on = Weiter zur Systemsteuerung

# Das Ende
ended-title = Die Systemsteuerung ist beendet
ended-explain = Alle Laufwerke sind wieder gesperrt. Sie können diese Seite schließen.

# Was dauert
job-stop = Anhalten
job-left = { $count ->
    [one] Noch etwa eine Sekunde
   *[other] Noch etwa { $count } Sekunden
}

# Was schiefging
error-title = Das ging nicht
error-back = Zurück zum Anfang
error-not-found = Hier ist nichts
error-drive-gone = Dieses Laufwerk ist nicht mehr da. Wurde es abgezogen?
error-outside = Dieser Browser wurde nicht eingelassen. Starten Sie lastkey panel noch einmal.
error-foreign = Eine andere Website hat das verlangt. Es wurde nicht getan.
error-invalid = Was gesendet wurde, ergibt keinen Sinn
error-too-many = Es läuft schon zu viel. Warten Sie, bis etwas fertig ist.
error-internal = In lastkey ist etwas kaputt
