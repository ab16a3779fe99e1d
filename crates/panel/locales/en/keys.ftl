# Looking for keys
find-lead = Keys are found in texts, tables, PDF and Office documents, photos of the printed page, archives and .BEK files, whatever they are called. Nothing is sent anywhere.
find-key = Key ID (optional)
find-key-hint = Its first eight characters are enough. Without one, every key is listed.
find-where = Where to look
find-home = Your own folders
find-sticks = USB flash drives and memory cards
find-no-sticks = none is mounted now
find-folder = Another folder or file
find-go = Look for it
find-account = Look in your account
find-no-key-id = This is no key ID. Type at least its first eight characters: digits, and letters from A to F.
find-no-folder = There is no such folder or file, or you may not look into it.
find-nowhere = Choose where to look.
find-searching = Searching: { $files } files, { $rate } a second
find-trying = Trying the keys on the drives
find-found = { $count ->
    [one] One key was found
   *[other] { $count } keys were found
}
find-none = No key was found
find-none-advice = Keys may also be on paper, on USB flash drives, in an account, or in the directory of an organisation. Of a new computer the key is often in the Microsoft account of whoever set it up.
find-stopped = The search was stopped. This is what was found up to then.
find-key-id = Key ID { $id }
find-no-id = Key without a key ID
find-conflict = Different keys stand under this key ID. At most one of them is right.
find-opens = Opens { $drive }, proven
find-fails = Stands under a key ID of { $drive }, and does not open it
find-also-under = The same key stands under key ID { $id }, too: one of them is wrong
find-unlock = Unlock
find-where-found = Found in
find-more = { $count ->
    [one] and one more
   *[other] and { $count } more
}
find-show = Show the key
find-others = { $count ->
    [one] Another key was found, and not asked for.
   *[other] { $count } other keys were found, and not asked for.
}
find-left-out = Many keys have no key ID. They were not tried on the drives, because that would take long.
find-wrong = { $count ->
    [one] One text looks like a key, and a digit in it is wrong
   *[other] { $count } texts look like keys, and digits in them are wrong
}
find-mend = Find out what was meant
find-sealed = { $count ->
    [one] One file is sealed with a password: check it with that
   *[other] { $count } files are sealed with passwords: check them with those
}
find-not-permitted = { $count ->
    [one] One file or folder may not be read by you
   *[other] { $count } files or folders may not be read by you
}
find-too-large = { $count ->
    [one] One file is too large
   *[other] { $count } files are too large
}
find-spoilt-page = { $count ->
    [one] One picture of a page is too blurred to be read
   *[other] { $count } pictures of pages are too blurred to be read
}
find-share = { $count ->
    [one] One sheet has a share of a key: unlock the drive with all of them at once
   *[other] { $count } sheets have shares of keys: unlock the drive with all of them at once
}
find-in-cloud = { $count ->
    [one] One file is in the cloud only
   *[other] { $count } files are in the cloud only
}
find-other-file-system = { $count ->
    [one] One folder is on another drive, and was not searched
   *[other] { $count } folders are on other drives, and were not searched
}
find-unreadable = { $count ->
    [one] One file cannot be read, or not in this form
   *[other] { $count } files cannot be read, or not in their form
}
find-files = { $count ->
    [one] One file was searched.
   *[other] { $count } files were searched.
}
find-again = Look elsewhere

# A key, shown
shown-title = Recovery key
shown-explain = Whoever sees these digits can open the drive. This page forgets them when you leave it.
shown-hide = Hide the key

# Checking a copy
verify-lead = A copy counts when it has opened the drive. Choose it as you would find it: the photo of the page, the file on the USB flash drive.
verify-drive = Drive
verify-any-drive = Whichever it opens
verify-path = Or its path on this computer
verify-path-hint = If the record knows the copy, it notes that it is still good.
verify-go = Check it
verify-reading = Reading the copy
verify-trying = Trying it on { $drive }
verify-proven = The copy opens { $drive }
verify-not-proven = The copy does not open { $drive }
verify-nothing = The copy could not be checked
verify-opens = The key with key ID { $id } opened the drive just now.
verify-other-drive = The key with key ID { $id } is another drive’s.
verify-mislabelled = The key opens the drive, but stands under key ID { $id }, and its own is { $own }: nobody would find it.
verify-digits = The digits under key ID { $id } are no recovery key: at least one is wrong.
verify-wrong-key = The key under key ID { $id } is a good recovery key, and does not open the drive.
verify-failed = The key under key ID { $id }: { $why }
verify-snapshot = This is the drive’s metadata, as it is now. It is no key.
verify-snapshot-old = This is the drive’s metadata, as it was once. It is no key.
verify-snapshot-other = This is another drive’s metadata, and no key.
verify-noted = Noted in the record as proven: { $place }
verify-away = { $drive } cannot be read now: nothing can be said.
verify-no-drive = No BitLocker drive is there to try it on. Plug it in first.
verify-advice = Make a new copy while you can open the drive.
verify-again = Check another copy

# Mending a key
mend-lead = Type what can be read, and ? for each digit that cannot. What the key may have been is tried on the drive, the likeliest first.
mend-drive = Drive
mend-choose = Choose the drive
mend-digits = What can be read
mend-digits-hint = A box may stay empty, and hold too few or too many digits. You can paste everything into the first one.
mend-consider = See how long it takes
mend-no-digits = There are no digits.
mend-foreign = There is something that is neither a digit nor a ? for one.
mend-too-long = These are too many digits for a recovery key.
mend-no-groups = These digits do not fall into groups of six. Type them into the boxes.
mend-no-drive = Choose the drive that the key is for: only it can tell.
mend-no-key = This drive has no recovery key.
mend-known = What is known
mend-groups = { $count } of 8 groups are there
mend-group-wrong = at least one digit is wrong
mend-group-unreadable = { $count ->
    [one] one digit is unreadable
   *[other] { $count } digits are unreadable
}
mend-group-unknown = nothing is known
mend-much = Too much is missing: even the likeliest would take longer than a day. Each digit more that can be read makes it ten times shorter.
mend-rate = This computer tries { $rate } keys a second.
mend-how-far = How far to go
mend-as-read = As it was read
mend-one-slip = With one slip: a wrong digit, two swapped, one left out
mend-two-slips = With two slips
mend-three-slips = With three slips
mend-takes = { $count } keys, up to { $time }
mend-go = Search
mend-change = Change what was typed
mend-searching = Trying what the key of { $drive } may have been
mend-mended = The key is mended
mend-none = The key was not found
mend-found = The recovery key with key ID { $id } opens { $drive }.
mend-was-right = All was typed right.
mend-was-wrong = Other than typed: group { $groups }.
mend-was-order = The groups stood in another order.
mend-flaw = But it is not proven: { $why }
mend-advice = Back it up now, in a place where it stays readable.
mend-not-found = None of the { $count } keys opens the drive.
mend-not-found-advice = Compare the key ID. Mark each digit that you are not sure of with ?, or go further.
mend-stopped = Stopped at { $at } of { $count }.
mend-again = Try again
time-seconds = { $count ->
    [one] a second
   *[other] { $count } seconds
}
time-minutes = { $count ->
    [one] a minute
   *[other] { $count } minutes
}
time-hours = { $count ->
    [one] an hour
   *[other] { $count } hours
}
time-days = { $count ->
    [one] a day
   *[other] { $count } days
}
time-years = { $count ->
    [one] a year
   *[other] { $count } years
}
time-forever = more than a million years
