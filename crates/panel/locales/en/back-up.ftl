# How things are said everywhere
told-quoted = { $text }

# Before the backup
back-up-title = Back up your recovery key
back-up-nothing-title = There is no key to back up
back-up-not-encrypted = This drive is not encrypted, so it has no key.
back-up-data-key-only = What opened this drive is its data key alone, and that does not show the recovery keys. Unlock it with a password or a recovery key.
back-up-no-key = This drive has no recovery key and no external key. In Windows, an administrator adds a recovery key with: manage-bde -protectors -add DRIVE: -recoverypassword
back-up-not-bitlocker = This drive is not encrypted with BitLocker.
back-up-damaged = What BitLocker has written about this drive cannot be read, so its keys cannot be shown.
back-up-unreadable = This drive cannot be read now.
back-up-to-drives = All drives
back-up-lead = How do you want to back up the recovery key of { $drive }? Should the drive ever lock you out, this key is the only way back in.
back-up-keys = { $count ->
    [one] It has one key.
   *[other] It has { $count } keys; all of them are saved.
}
back-up-key-ids = Key ID: { $keys }
back-up-how = Each copy is read back from where it was put and tried on the drive. Only then is it called a backup.

# The ways
way-account = Save to your account
way-account-good = You reach the key from any phone or computer, even when this one is gone.
way-account-bad = It does not help while the server cannot be reached.
way-account-some = Signed in: { $names }
way-account-none = This device is signed in to no account.
way-account-sign-in = Sign in
way-usb = Save to a USB flash drive
way-usb-good = It needs no network and no other person, and Windows finds the key on it.
way-usb-bad = A stick is easily lost, and useless to you in the bag with a stolen computer.
way-usb-some = Plugged in: { $names }
way-usb-none = No USB drive is plugged in. Plug one in, then choose this.
way-file = Save to a file
way-file-good = In a folder on another drive or a network share, it is backed up with everything else there.
way-file-bad = Whoever can read the folder can open the drive, unless you seal the file.
way-file-now = Any folder that is not on this drive
way-print = Print the recovery key
way-print-good = Paper survives every computer, and anybody can type from it.
way-print-bad = Fire, water and visitors reach it.
way-print-some = Printers: { $names }
way-print-none = This computer knows no printer. Name one by its address, or save the page and print it elsewhere:
way-pdf = Save the page as a PDF
way-directory = Save to Active Directory
way-directory-good = Your organisation’s helpdesk finds it, as it finds the keys that Windows saves there.
way-directory-bad = Administrators there can open your drive.
way-directory-now = You need a user who may add keys there
way-passwords = Save to a password manager
way-passwords-good = It lies where your passwords are, encrypted, and goes wherever you take them.
way-passwords-bad = It does not help when the only device with that password manager is the locked one.
way-passwords-now = KeePass, or a file for Bitwarden and 1Password

# The forms
form-save = Save and prove
form-again = The same again
form-password = Password
form-nothing-done = Nothing was saved.
form-empty-password = The password is empty.
form-typed-differently = The two are not the same. What is typed wrongly once could never be opened again.
usb-which = Which drive?
usb-free = { $size } free
usb-none = No USB drive is plugged in.
usb-look-again = Look again
usb-choose = Choose a drive.
usb-gone = That drive is not plugged in any more.
usb-explain = Nothing that is on the drive is touched. The key is written beside it, in the form in which Windows saves it.
folder-which = Which folder?
folder-other = Another folder
folder-path = Path of another folder
folder-path-hint = The whole path, such as /media/share/keys. It has to exist.
back-up-choose-folder = Choose a folder, or type where it is.
back-up-whole-path = “{ $path }” is not a whole path: begin it at the top.
file-explain = The file has the form in which Windows saves it. A file that is there already is never overwritten.
file-seal = Seal the file
file-seal-explain = A sealed file opens only with what you choose here, on any system, with the free program age or with lastkey.
file-seal-how = How?
file-seal-not = Not sealed: whoever has the file can open the drive
file-seal-passphrase = With a passphrase
file-seal-recipients = To recipients, whose other half opens it
file-seal-wrong = The file cannot be sealed so.
file-passphrase = Passphrase
file-recipients = Recipients
file-recipients-hint = Public keys that begin with age1, one on each line
pdf-explain = The page is made, written, and read again by its pixels as a scanner would. Whoever has the file can open the drive: delete it when it is printed.
print-which = Which printer?
print-none = This computer knows no printer.
print-other = A printer in the network
print-address = Address of the printer
print-address-hint = It begins with ipp:// or ipps://, such as ipp://192.168.1.20/ipp/print
print-address-wrong = A printer’s address begins with ipp:// or ipps://.
print-choose = Choose a printer.
print-paper = Paper
print-go = Print
print-preview = Print preview
print-preview-show = Show the page
print-preview-careful = The key stands on it. Look around you first.
print-preview-of = The page with the recovery key of key ID { $key }, as it will be printed
print-explain = Before it is sent, the page is read by its pixels and must say the key. The sheet itself you check afterwards, with a photo of it.
account-which = Which account?
account-opens = Sealed here, to be opened by: { $names }
account-none = This device is signed in to no account yet.
account-choose = Choose an account.
account-explain = The key is sealed on this computer. The server cannot open it; you do, signed in on any device.
directory-server = Server
directory-server-hint = The name of a domain controller, such as dc1.example.com
directory-computer = Computer
directory-computer-hint = Its name in the directory, or its distinguished name
directory-user = User
directory-user-hint = ada@example.com or EXAMPLE\ada
directory-own-ca = The server’s certificate is of your organisation’s own authority
directory-ca = File with that authority’s certificate (PEM)
directory-incomplete = Say which server and which computer.
directory-address-wrong = That is no server or no computer.
directory-explain = The key is put below the computer, where Windows would have put it. The password goes to that server alone, encrypted, and is not kept.
keepass-title = KeePass
keepass-explain = The key becomes an entry of the database. Nothing else in it is changed.
keepass-which = Which database?
keepass-other = Another one, or a new one
keepass-path = Path of the database
keepass-path-hint = A file that ends with .kdbx. If it is not there, it is made.
keepass-password = Password of the database
keepass-more = It is new, or has a key file
keepass-again = The password again, for a new database
keepass-key-file = Key file
import-title = Bitwarden or 1Password
import-explain = You get a file that the password manager imports. It lets everybody read the key: delete it after the import.
import-manager = Password manager

# How it goes
back-up-saving = Backing up your recovery key
back-up-step-place = Looking at the place: { $place }
back-up-step-save = Saving the key with the key ID { $key }
back-up-step-save-metadata = Saving what a destroyed drive needs beside its key
back-up-step-read = Reading it back from there
back-up-step-prove = Trying on the drive what was read
back-up-step-deliver = Sending it to the server, and checking its receipt
back-up-step-note = Noting it in the record
back-up-step-remove = Taking it away again

# The end
backed-up-title = Your recovery key is backed up
backed-up-summary = The key of { $drive } was read back from where it is now, and what was read has opened the drive.
backed-up-printed-title = The page is printed
backed-up-printed-summary = The printer says that it has printed the page for { $drive }. That is no backup yet: check the sheet with a photo or a scan of it.
backed-up-stored-title = Your recovery key is stored, not proven
backed-up-stored-summary = The key of { $drive } is there, but could not be read back. Save it to one more place.
backed-up-waiting-title = Your recovery key waits to be sent
backed-up-waiting-summary = The key of { $drive } is sealed on this computer and not with the server yet. That is no backup: save it to one more place now.
backed-up-partly-title = Not all keys are backed up
backed-up-partly-summary = Some of the keys of { $drive } are backed up, and some are not.
backed-up-stopped-title = You have stopped it
backed-up-stopped-summary = No key of { $drive } was saved.
backed-up-failed-title = Your recovery key is not backed up
backed-up-failed-summary = The key of { $drive } was not saved.
backed-up-nothing-left = Where a copy failed, nothing half written was left, and nothing that was there was changed.
backed-up-damaged = The key with the key ID { $key } is damaged on the drive and cannot be saved. Add a new one in Windows, and back that up.
backed-up-no-metadata = What a destroyed drive needs beside its key was not saved:
backed-up-no-record = The copy is as good as it is, but it could not be noted in the record:
backed-up-copies = Where all copies are
back-up-holds-none = This way cannot hold the kind of key that this drive has. Save it to a USB drive or a file.
back-up-no-printer = This computer knows no printer { $name } any more.
back-up-no-account = This device is not signed in to the account { $name } any more.
copy-key = Key ID { $key }
copy-metadata = The drive’s metadata
copy-proven = Proven { $time }: read back, and it opened the drive
copy-intact = Compared { $time }: no key, but with one it opens the drive if the drive’s own metadata is destroyed
copy-printed = Printed, not proven until you have checked the sheet
copy-stored = Stored, not proven.
copy-waiting = Waiting, not backed up yet.
now-title = What to do now
now-usb-out = Eject the stick if your system still shows it, and pull it out.
now-usb-keep = Keep it away from the computer, where you would find it in a year. Write on it what it is.
now-file = Make sure that you can reach the folder when this computer does not start.
now-pdf-print = Print the file, and check the sheet with a photo of it.
now-pdf-delete = Delete the file when the sheet is checked: whoever has it can open the drive.
now-paper-keep = Keep the sheet with your passport and other papers that you would not lose, never with the computer.
now-print-check = Take the sheet from the printer, photograph or scan it, and let it be checked.
now-account = Make sure that you can sign in on another device, such as your phone.
now-directory = Nothing. If you are ever locked out, tell the helpdesk the key ID.
now-passwords = Make sure that you can open your password manager on another device. If you saved a file for an import, import it, then delete it.
now-check-sheet = Check the sheet
instead-title = What you can do instead
instead-again = Try this way again
one-more-title = One copy is not enough
one-more = Sticks break, paper burns, servers close. A second copy in another place outlives each of them.
one-more-go = Make one more copy

# Where copies are
at-usb = On the USB drive { $place }
at-print = On paper, from the printer { $place }
at-account = In the account { $place }
at-directory = In the directory, { $place }
at-keepass = In the KeePass database { $place }
at-pdf = In the PDF { $place }
at-import = In the file { $place }, for a password manager
at-file = In the file { $place }

# Why not
refused-on-the-drive = { $place } is on the drive itself: once the drive is locked, its key would be locked in with it.
refused-on-bitlocker = { $place } is on another BitLocker drive that is open now: what locks you out of one drive of a computer mostly locks the others too. Back that drive’s own key up elsewhere first.
refused-no-folder = { $place } is not a folder that exists.
refused-unusable = { $place } cannot be used.
refused-unseen = { $place } cannot be looked at.
failed-already-there = { $place } is already there. It was left as it is.
failed-there-good = { $place } was there already, and is a good copy: it was read now, and it opened the drive.
failed-there-other = { $place } is already there, and does not open the drive. It was left as it is: look at it, and move it away before you save again.
failed-full = There is no room left in { $place }.
failed-not-permitted = { $place } does not let you write there.
failed-read-only = { $place } can only be read.
failed-taken = { $place } already has { $name }, which was left as it is.
failed-unreachable = { $place } cannot be reached.
failed-locked = { $place } does not open.
failed-rejected = { $place } did not take it.
failed-io = { $place } could not be written.
failed-read-back = The copy was saved but could not be read back, so it was removed.
failed-not-proven = What was read back does not open the drive, so it was removed.
failed-not-removed = A copy that is no backup could not be removed from { $place }. Remove it yourself.
warned-same-disk = On the same disk as the drive: if the disk breaks, both are gone.
warned-fixed-drive = The top folder of a drive that stays in the computer: a thief of the computer has the key with it.
warned-in-memory = In memory: gone when the computer is switched off.
warned-network = On another computer: whoever can read it there can read the key.
warned-unknown = What this folder stands on cannot be seen: make sure that it is not the locked drive.
warned-other-bitlocker = On another BitLocker drive, whose own key has a proven copy elsewhere.

# All copies
copies-title = Where your recovery keys are
copies-lead = What this computer knows of the copies of your keys, and when each last opened its drive.
copies-none = No drive was seen yet, and no key was backed up.
copies-unreadable = The record of where copies are cannot be read.
copies-exposed = Not backed up
copies-exposed-explain = No proven copy of its key is known. If this drive locks you out, everything on it is lost.
copies-exposed-first = { $count ->
    [one] One drive has no proven copy of its key.
   *[other] { $count } drives have no proven copy of their key.
}
copies-safe = { $count ->
    [one] One proven copy
   *[other] { $count } proven copies
}
copies-back-up = Back up now
copies-one-more = Make one more copy
copies-check = Check a copy again
copies-absent = Not attached now. Last seen { $time } as { $drive }
copies-saved = Saved { $time }
copies-proven = Proven { $time }
copies-failed = Failed { $time }:
copies-never = Stored { $time }, never proven
copies-waiting = Waiting since { $time }, not backed up yet:
copies-stale = The drive does not have this key any more; it still opens older copies of the drive
copies-not-needed = Not encrypted: it needs no key.
copies-caption = Copies of the keys of { $drive }
