//! The process that reads an uploaded file.

fn main() -> std::io::Result<()> {
    inspect_upload::run_child()
}
