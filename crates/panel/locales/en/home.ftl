home-title = Control Panel
home-search = What do you want to do?
home-search-go = Search
home-security = System and Security

search-nothing = Nothing was found. Try “back up”, “unlock”, the name of a drive, or the first characters of a key ID.
search-key = has the key ID { $id }
search-copy = { $kind }: { $place }

# Tasks, and other words that people type for them
task-back-up = Back up your recovery key
task-back-up-words = backup save print copy paper usb stick flash file account secure 48 digits key
task-unlock = Unlock drive
task-unlock-words = open blue screen recovery locked password key
task-lock = Lock drive
task-files = Browse files
task-files-words = copy files off download rescue folder documents photos
task-find = Find my key
task-find-words = search lost recovery look where key id
task-verify = Check a copy of a key
task-verify-words = verify prove test right works paper photo
task-mend = Mend a damaged key
task-mend-words = repair mistyped unreadable faded missing digits wrong key
task-copies = Where the copies are
task-copies-words = list backups record places history
task-account = Account
task-account-words = sign in login server lastkeyd online settings

drives-title = BitLocker Drive Encryption
drives-title-words = drives bitlocker state status protect system security
drives-lead = Keep a copy of each drive’s recovery key in a place that is not locked with it.
drives-hidden = Some drives can be looked into only with an administrator’s rights.
drives-show-hidden = Show them
drives-hidden-how = Start lastkey panel as an administrator to see what they are.

group-system = Operating system drive
group-fixed = Fixed data drives
group-removable = Removable data drives – BitLocker To Go
group-image = Image files
group-empty = None is attached.

drive-off = BitLocker off
drive-hidden = Rights are missing to look into it
drive-damaged = BitLocker, but its metadata cannot be read: { $why }
drive-locked = BitLocker on, locked
drive-unlocked = BitLocker on, unlocked
drive-suspended = BitLocker suspended
drive-encrypting = BitLocker encrypting, { $percent }%
drive-decrypting = BitLocker decrypting, { $percent }%
drive-protectors = Opens with
drive-key-ids = Key ID
drive-exposed = Not backed up
drive-exposed-why = No copy of its recovery key is known that opens it. Back it up now, while you can.
drive-no-key = It has no recovery key: whoever forgets what opens it cannot get back in. Windows can add one.
drive-copy = { $kind }, { $place }: opened the drive on { $when }

protector-clear = nothing (suspended)
protector-tpm = TPM
protector-external = key file
protector-tpm-startup = TPM and startup key
protector-tpm-pin = TPM and PIN
protector-tpm-pin-startup = TPM, PIN and startup key
protector-recovery = recovery key
protector-certificate = certificate or smart card
protector-network = network unlock
protector-password = password
protector-unknown = something that Windows opens itself

place-account = Account
place-usb = USB flash drive
place-file = File
place-paper = Paper
place-directory = Directory
place-manager = Password manager
place-other = Another place
