# Copies that are given to a page
copy-photo = Take a photo of the page
copy-file = Choose a file
camera-use = Use the camera
camera-hint = Hold the page, or only its QR code, so close that the picture is sharp.
camera-seen = What the camera sees
camera-take = Take the picture
camera-none = There is no camera, or the browser may not use it. Choose a photo as a file.
copy-has-password = The file has a password of its own
copy-password = Password of the file
copy-password-needed = The file is sealed with a password. Type it below the file, and choose the file again.
copy-password-wrong = The password of the file is wrong. Capital letters and the keyboard’s language count.
copy-for-identity = The file is sealed with age to somebody’s identity. Open it first: age -d -i IDENTITY FILE
copy-page-unreadable = The page cannot be read: { $why }. Photograph it from straight above, in even light, so that it fills the picture.
copy-unreadable = The file cannot be read: { $why }
copy-sheets = The sheets do not make a key together: { $why }

# Unlocking
unlock-title = Unlock { $drive }
unlock-open = This drive is encrypted, but its protection is off or suspended: it opens without a key.
unlock-open-go = Open it
unlock-by-digits = With the recovery key
unlock-compare = You need the recovery key with this key ID. It stands above or beside the 48 digits, wherever they are kept.
unlock-digits = Recovery key
unlock-digits-hint = Eight groups of six digits. You can paste the whole key into any box.
unlock-go = Unlock
unlock-find = I do not know where the key is: look for it
unlock-by-file = With a photo or a file
unlock-file-hint = A photo, scan or PDF of the printed page, the text file that Windows saved, a .BEK file, a password database. Of a key that is split over several sheets, choose all of them at once.
unlock-go-file = Unlock with it
unlock-by-password = With the password
unlock-password = Password of the drive
unlock-go-password = Unlock with the password
unlock-mend = Find out what was meant
unlock-digits-wrong = These digits cannot be a recovery key. Compare them with your copy.
unlock-wrong-key = This is a good recovery key, but not this drive’s. Compare the key ID.
unlock-other-key = This is the key of another drive: it has key ID { $id }.
unlock-opens-other = This key opens another drive: { $drive } (key ID { $id }).
unlock-wrong-password = The password is wrong. Capital letters and the keyboard’s language count.
unlock-no-key = There is no key in it.
unlock-nothing = Nothing was given.
unlock-no-protector = This drive does not open with a key of this kind.
unlock-locked = The drive is locked: it opens only with a key.
unlock-failed = The drive cannot be unlocked: { $why }

# One group of digits
group-name = Group { $number }
group-empty-box = is empty
group-too-short = has { $digits } of 6 digits
group-too-long = has { $digits } digits instead of 6
group-foreign = has something in it that is no digit
group-wrong = a digit is wrong here
group-incomplete = digits are missing

# The files of a drive
files-way = Where you are
files-name = Name
files-size = Size
files-time = Changed
files-empty = This folder is empty.
files-zip = Download all of it (ZIP)
files-pages = Pages
files-first = To the beginning
files-next = Further entries
files-up = Back to the folder
files-broken = { $count } entries of this folder cannot be read: { $why }
files-unreadable = This cannot be read: { $why }
file-encrypted = This file is encrypted once more, by Windows’ own file encryption (EFS). Only its owner’s certificate opens it, no key of the drive does.
file-encrypted-short = encrypted by EFS
file-in-cloud = Only the name of this file is on the drive. Its content is in the cloud, such as in OneDrive.
file-in-cloud-short = in the cloud
file-elsewhere = The content of this file is kept elsewhere by Windows (deduplication or a WIM image), and cannot be read from here.
file-broken = cannot be read
file-link = link
file-link-explain = This is a link to another place, and not a file.
archive-left-out = These could not be read, and are not in this archive:
