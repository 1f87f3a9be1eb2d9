//! Writes `samples/` anew: `cargo run -p testkit --bin samples`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let root = testkit::workspace_root().join("samples");
    for sample in [testkit::zksync::sample(), testkit::medalla::sample()] {
        if sample.write(&root.join(sample.name)).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
