//! Runs the operation that Lambda's `_HANDLER` names.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let id = std::env::var("_HANDLER")?;
    let make = bootstrap::service(&id).ok_or("no such operation")?;
    shared::serve::serve(make).await
}
