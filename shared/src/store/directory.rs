//! The directory table.
pub struct Directory;
