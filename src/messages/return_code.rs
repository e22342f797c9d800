//! Return codes: success and names (docs/spec/host.md#return-codes).

use super::{ReturnCode, VmOutput};
use std::fmt;

impl VmOutput {
    /// Whether the contract succeeded: only then does the output change anything.
    pub fn is_ok(&self) -> bool {
        self.return_code == ReturnCode::Ok as i64
    }

    /// The return code; `None` for an unknown number, which no VM returns.
    pub fn code(&self) -> Option<ReturnCode> {
        let number = i32::try_from(self.return_code).ok()?;
        ReturnCode::try_from(number).ok()
    }
}

impl ReturnCode {
    /// The text of the reference, such as `out of gas`. The reference has none for [`ReturnCode::UpgradeFailed`]; that
    /// one is ours.
    pub fn as_str(self) -> &'static str {
        match self {
            ReturnCode::Ok => "ok",
            ReturnCode::FunctionNotFound => "function not found",
            ReturnCode::FunctionWrongSignature => "wrong signature for function",
            ReturnCode::ContractNotFound => "contract not found",
            ReturnCode::UserError => "user error",
            ReturnCode::OutOfGas => "out of gas",
            ReturnCode::AccountCollision => "account collision",
            ReturnCode::OutOfFunds => "out of funds",
            ReturnCode::CallStackOverFlow => "call stack overflow",
            ReturnCode::ContractInvalid => "contract invalid",
            ReturnCode::ExecutionFailed => "execution failed",
            ReturnCode::UpgradeFailed => "upgrade failed",
        }
    }
}

impl fmt::Display for ReturnCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_knows_what_its_code_means() {
        let with_code = |return_code| VmOutput {
            return_code,
            ..VmOutput::default()
        };
        assert!(with_code(0).is_ok() && !with_code(5).is_ok() && !with_code(1 << 32).is_ok());
        let name = |code| with_code(code).code().map(|code| code.to_string());
        assert_eq!(name(5).as_deref(), Some("out of gas"));
        assert_eq!(name(12), None);
        assert_eq!(name(1 << 32), None);
    }
}
