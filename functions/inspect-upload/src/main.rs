//! The Lambda function, and the process that it starts to read files in.

fn main() -> Result<(), lambda_runtime::Error> {
    if inspect_upload::is_child() {
        return Ok(inspect_upload::run_child()?);
    }
    serve()
}

#[tokio::main(flavor = "current_thread")]
async fn serve() -> Result<(), lambda_runtime::Error> {
    shared::serve::serve(inspect_upload::service).await
}
