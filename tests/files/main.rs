//! The files inside BitLocker drives, as a person gets them: `ls`, `tree`, `cat`, `cp`, `mount`, `unlock`. Other programs
//! make the file systems and say what is in them.

mod copies;
mod drive;
mod hostile;
mod listings;
mod mounts;
mod same;
mod unlock;
