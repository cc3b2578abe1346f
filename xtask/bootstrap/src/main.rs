//! Runs the operation that Lambda's `_HANDLER` names.

fn main() -> Result<(), lambda_runtime::Error> {
    if inspect_upload::is_child() {
        return Ok(inspect_upload::run_child()?);
    }
    serve()
}

#[tokio::main(flavor = "current_thread")]
async fn serve() -> Result<(), lambda_runtime::Error> {
    let id = std::env::var("_HANDLER")?;
    let make = bootstrap::service(&id).ok_or("no such operation")?;
    shared::serve::serve(make).await
}
