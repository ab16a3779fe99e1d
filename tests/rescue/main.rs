//! `lastkey rescue`: drives without boot sector, metadata or some of their sectors. Whatever can still be read must
//! be right, and whatever cannot must be named.

mod bad_sectors;
mod copied;
mod device;
mod lost_files;
mod metadata;
mod resume;
mod support;
