# Around every page
page-skip = Skip to the content
page-menu = Main
page-quit = Quit
menu-drives = Drives
menu-find = Find my key
menu-verify = Check a copy
menu-copies = Copies
menu-account = Account

# The door
start-title = Open the control panel
start-explain = Type the code that lastkey showed when it started. It shows a new one each time you start it.
start-code = Code
start-enter = Open
start-wrong = That is another code. Look again: it has eight letters and digits.
start-none = This code is of no use any more. Start lastkey panel again: it shows a new one.
start-go-on = Go on to the control panel

# The end
ended-title = The control panel has ended
ended-explain = All drives are locked again. You can close this page.

# What takes a while
job-stop = Stop
job-left = { $count ->
    [one] About one second left
   *[other] About { $count } seconds left
}

# What went wrong
error-title = That did not work
error-back = Back to the start
error-not-found = There is nothing here
error-drive-gone = This drive is not there any more. Was it pulled out?
error-outside = This browser has not been let in. Start lastkey panel again.
error-foreign = Another site asked for this. It was not done.
error-invalid = What was sent makes no sense
error-too-many = Too much goes on already. Wait until something is finished.
error-internal = Something in lastkey is broken
