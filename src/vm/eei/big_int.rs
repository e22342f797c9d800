//! Big integers (docs/spec/eei.md#big-integer-handles, #big-integers).

use super::call::{Call, HostResult, as_size, item};
use super::table::host_functions;
use crate::messages::null::not_null;
use crate::vm::contexts::big_int::{
    from_signed_bytes, from_unsigned_bytes, length, low_i64, product_steps, quotient_steps,
    signed_bytes, unsigned_bytes,
};
use crate::vm::effort::linear_steps;
use crate::vm::error::ExecutionError;
use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_traits::Signed;

// Many operations cost what a subtraction costs (docs/spec/README.md#quirk-6).
host_functions! {
    namespace "env", costs BigIntAPICost;

    /// A new handle with a value.
    "bigIntNew" => big_int_new(value: i64) -> i32, gas BigIntNew;
    /// The number of bytes of the absolute value.
    "bigIntUnsignedByteLength" => big_int_unsigned_byte_length(reference: i32) -> i32, gas BigIntUnsignedByteLength;
    /// The number of bytes of the two's complement.
    "bigIntSignedByteLength" => big_int_signed_byte_length(reference: i32) -> i32, gas BigIntSignedByteLength;
    /// Copies the bytes of the absolute value; returns their number.
    "bigIntGetUnsignedBytes" => big_int_get_unsigned_bytes(
        reference: i32, bytes_offset: i32,
    ) -> i32, gas BigIntGetUnsignedBytes;
    /// Copies the two's complement; returns its length.
    "bigIntGetSignedBytes" => big_int_get_signed_bytes(
        reference: i32, bytes_offset: i32,
    ) -> i32, gas BigIntGetSignedBytes;
    /// Reads an unsigned number.
    "bigIntSetUnsignedBytes" => big_int_set_unsigned_bytes(
        destination: i32, bytes_offset: i32, bytes_length: i32,
    ), gas BigIntSetUnsignedBytes;
    /// Reads a two's complement.
    "bigIntSetSignedBytes" => big_int_set_signed_bytes(
        destination: i32, bytes_offset: i32, bytes_length: i32,
    ), gas BigIntSetSignedBytes;
    /// Whether the value fits 64 bits.
    "bigIntIsInt64" => big_int_is_int64(reference: i32) -> i32, gas BigIntIsInt64;
    /// The value, or what 64 bits can hold of it.
    "bigIntGetInt64" => big_int_get_int64(reference: i32) -> i64, gas BigIntGetInt64;
    /// Sets the value.
    "bigIntSetInt64" => big_int_set_int64(destination: i32, value: i64), gas BigIntSub;
    /// The sum.
    "bigIntAdd" => big_int_add(destination: i32, left: i32, right: i32), gas BigIntSub;
    /// The difference.
    "bigIntSub" => big_int_sub(destination: i32, left: i32, right: i32), gas BigIntSub;
    /// The product.
    "bigIntMul" => big_int_mul(destination: i32, left: i32, right: i32), gas BigIntMul;
    /// The quotient, towards zero.
    "bigIntTDiv" => big_int_tdiv(destination: i32, left: i32, right: i32), gas BigIntTDiv;
    /// The remainder, with the sign of `left`.
    "bigIntTMod" => big_int_tmod(destination: i32, left: i32, right: i32), gas BigIntSub;
    /// The Euclidean quotient.
    "bigIntEDiv" => big_int_ediv(destination: i32, left: i32, right: i32), gas BigIntSub;
    /// The Euclidean remainder, which is never below zero.
    "bigIntEMod" => big_int_emod(destination: i32, left: i32, right: i32), gas BigIntSub;
    /// The absolute value.
    "bigIntAbs" => big_int_abs(destination: i32, operand: i32), gas BigIntSub;
    /// The negation.
    "bigIntNeg" => big_int_neg(destination: i32, operand: i32), gas BigIntSub;
    /// -1, 0 or 1.
    "bigIntSign" => big_int_sign(operand: i32) -> i32, gas BigIntSign;
    /// -1, 0 or 1 for less, equal and greater.
    "bigIntCmp" => big_int_cmp(left: i32, right: i32) -> i32, gas BigIntCmp;
    /// -1 less the value.
    "bigIntNot" => big_int_not(destination: i32, operand: i32), gas BigIntSub;
    /// The bits of both.
    "bigIntAnd" => big_int_and(destination: i32, left: i32, right: i32), gas BigIntSub;
    /// The bits of either.
    "bigIntOr" => big_int_or(destination: i32, left: i32, right: i32), gas BigIntSub;
    /// The bits of one of them.
    "bigIntXor" => big_int_xor(destination: i32, left: i32, right: i32), gas BigIntSub;
    /// Shifts towards the low bits.
    "bigIntShr" => big_int_shr(destination: i32, operand: i32, bits: i32), gas BigIntSub;
    /// Shifts towards the high bits.
    "bigIntShl" => big_int_shl(destination: i32, operand: i32, bits: i32), gas BigIntSub;
    /// Adds the bytes of the absolute value to the return data.
    "bigIntFinishUnsigned" => big_int_finish_unsigned(reference: i32), gas BigIntFinishUnsigned;
    /// Adds the two's complement to the return data.
    "bigIntFinishSigned" => big_int_finish_signed(reference: i32), gas BigIntFinishSigned;
    /// Stores the absolute value; returns what that did.
    "bigIntStorageStoreUnsigned" => big_int_storage_store_unsigned(
        key_offset: i32, key_length: i32, source: i32,
    ) -> i32, gas BigIntStorageStoreUnsigned;
    /// Reads a stored unsigned number; returns its length.
    "bigIntStorageLoadUnsigned" => big_int_storage_load_unsigned(
        key_offset: i32, key_length: i32, destination: i32,
    ) -> i32, gas BigIntStorageLoadUnsigned;
    /// Reads an argument as an unsigned number, if there is one.
    "bigIntGetUnsignedArgument" => big_int_get_unsigned_argument(
        id: i32, destination: i32,
    ), gas BigIntGetUnsignedArgument;
    /// Reads an argument as a two's complement, if there is one.
    "bigIntGetSignedArgument" => big_int_get_signed_argument(id: i32, destination: i32), gas BigIntGetSignedArgument;
    /// The value of the call.
    "bigIntGetCallValue" => big_int_get_call_value(destination: i32), gas BigIntGetCallValue;
    /// A balance.
    "bigIntGetExternalBalance" => big_int_get_external_balance(
        address_offset: i32, result: i32,
    ), gas BigIntGetExternalBalance;
}

impl Call<'_> {
    fn number(&mut self, handle: i32) -> &BigInt {
        self.contexts().big_ints.value(handle)
    }

    fn set_number(&mut self, handle: i32, value: BigInt) -> HostResult<()> {
        self.spend(linear_steps(length(&value)))?;
        *self.contexts().big_ints.value(handle) = value;
        Ok(())
    }

    /// The bytes of a number.
    fn bytes_of(&mut self, handle: i32, bytes: fn(&BigInt) -> Vec<u8>) -> HostResult<Vec<u8>> {
        let steps = linear_steps(length(self.number(handle)));
        self.spend(steps)?;
        Ok(bytes(self.number(handle)))
    }

    /// Sets `destination` to what `result` makes of two numbers. `check` says whether it may, and how many steps that takes beyond
    /// going through the numbers. The numbers are not copied.
    fn combine(
        &mut self,
        [destination, left, right]: [i32; 3],
        check: impl FnOnce(&BigInt, &BigInt) -> Result<u64, ExecutionError>,
        result: impl FnOnce(&BigInt, &BigInt) -> BigInt,
    ) -> HostResult<()> {
        let contexts = self.contexts();
        let effort = &mut contexts.effort;
        let (left, right) = contexts.big_ints.operands(destination, left, right);
        effort.spend(linear_steps(length(left) + length(right)))?;
        effort.spend(check(left, right)?)?;
        let result = result(left, right);
        effort.spend(linear_steps(length(&result)))?;
        *contexts.big_ints.value(destination) = result;
        Ok(())
    }

    /// Sets `destination` to what `result` makes of one number.
    fn convert(
        &mut self,
        destination: i32,
        operand: i32,
        check: impl FnOnce(&BigInt) -> Result<u64, ExecutionError>,
        result: impl FnOnce(&BigInt) -> BigInt,
    ) -> HostResult<()> {
        let handles = [destination, operand, operand];
        self.combine(
            handles,
            |operand, _| check(operand),
            |operand, _| result(operand),
        )
    }

    fn big_int_new(&mut self, value: i64) -> HostResult<i32> {
        Ok(self.contexts().big_ints.add(value.into()))
    }

    fn big_int_unsigned_byte_length(&mut self, reference: i32) -> HostResult<i32> {
        Ok(as_size(self.bytes_of(reference, unsigned_bytes)?.len()))
    }

    fn big_int_signed_byte_length(&mut self, reference: i32) -> HostResult<i32> {
        Ok(as_size(self.bytes_of(reference, signed_bytes)?.len()))
    }

    fn copy_out(&mut self, bytes_offset: i32, bytes: &[u8]) -> HostResult<i32> {
        self.store(bytes_offset, bytes)?;
        self.charge_copied_bytes(bytes.len() as u64);
        Ok(as_size(bytes.len()))
    }

    fn big_int_get_unsigned_bytes(&mut self, reference: i32, bytes_offset: i32) -> HostResult<i32> {
        let bytes = self.bytes_of(reference, unsigned_bytes)?;
        self.copy_out(bytes_offset, &bytes)
    }

    fn big_int_get_signed_bytes(&mut self, reference: i32, bytes_offset: i32) -> HostResult<i32> {
        let bytes = self.bytes_of(reference, signed_bytes)?;
        self.copy_out(bytes_offset, &bytes)
    }

    fn big_int_set_unsigned_bytes(
        &mut self,
        destination: i32,
        bytes_offset: i32,
        bytes_length: i32,
    ) -> HostResult<()> {
        let bytes = self.load(bytes_offset, bytes_length)?;
        self.set_number(destination, from_unsigned_bytes(&bytes))?;
        self.charge_copied_bytes(bytes.len() as u64);
        Ok(())
    }

    fn big_int_set_signed_bytes(
        &mut self,
        destination: i32,
        bytes_offset: i32,
        bytes_length: i32,
    ) -> HostResult<()> {
        let bytes = self.load(bytes_offset, bytes_length)?;
        self.set_number(destination, from_signed_bytes(&bytes))?;
        self.charge_copied_bytes(bytes.len() as u64);
        Ok(())
    }

    fn big_int_is_int64(&mut self, reference: i32) -> HostResult<i32> {
        Ok(i64::try_from(self.number(reference)).is_ok().into())
    }

    fn big_int_get_int64(&mut self, reference: i32) -> HostResult<i64> {
        Ok(low_i64(self.number(reference)))
    }

    fn big_int_set_int64(&mut self, destination: i32, value: i64) -> HostResult<()> {
        self.set_number(destination, value.into())
    }

    fn big_int_add(&mut self, destination: i32, left: i32, right: i32) -> HostResult<()> {
        let handles = [destination, left, right];
        self.combine(handles, no_check, |left, right| left + right)
    }

    fn big_int_sub(&mut self, destination: i32, left: i32, right: i32) -> HostResult<()> {
        let handles = [destination, left, right];
        self.combine(handles, no_check, |left, right| left - right)
    }

    fn big_int_mul(&mut self, destination: i32, left: i32, right: i32) -> HostResult<()> {
        let handles = [destination, left, right];
        self.combine(handles, product_check, |left, right| left * right)
    }

    fn big_int_tdiv(&mut self, destination: i32, left: i32, right: i32) -> HostResult<()> {
        let handles = [destination, left, right];
        self.combine(handles, divisor_check, |left, right| left / right)
    }

    fn big_int_tmod(&mut self, destination: i32, left: i32, right: i32) -> HostResult<()> {
        let handles = [destination, left, right];
        self.combine(handles, divisor_check, |left, right| left % right)
    }

    fn big_int_ediv(&mut self, destination: i32, left: i32, right: i32) -> HostResult<()> {
        let handles = [destination, left, right];
        self.combine(handles, divisor_check, |left, right| {
            euclidean(left, right).0
        })
    }

    fn big_int_emod(&mut self, destination: i32, left: i32, right: i32) -> HostResult<()> {
        let handles = [destination, left, right];
        self.combine(handles, divisor_check, |left, right| {
            euclidean(left, right).1
        })
    }

    fn big_int_and(&mut self, destination: i32, left: i32, right: i32) -> HostResult<()> {
        let handles = [destination, left, right];
        self.combine(handles, bits_check, |left, right| left & right)
    }

    fn big_int_or(&mut self, destination: i32, left: i32, right: i32) -> HostResult<()> {
        let handles = [destination, left, right];
        self.combine(handles, bits_check, |left, right| left | right)
    }

    fn big_int_xor(&mut self, destination: i32, left: i32, right: i32) -> HostResult<()> {
        let handles = [destination, left, right];
        self.combine(handles, bits_check, |left, right| left ^ right)
    }

    fn big_int_abs(&mut self, destination: i32, operand: i32) -> HostResult<()> {
        self.convert(destination, operand, |_| Ok(0), BigInt::abs)
    }

    fn big_int_neg(&mut self, destination: i32, operand: i32) -> HostResult<()> {
        self.convert(destination, operand, |_| Ok(0), |operand| -operand)
    }

    fn big_int_sign(&mut self, operand: i32) -> HostResult<i32> {
        Ok(match self.number(operand).sign() {
            Sign::Minus => -1,
            Sign::NoSign => 0,
            Sign::Plus => 1,
        })
    }

    fn big_int_cmp(&mut self, left: i32, right: i32) -> HostResult<i32> {
        let contexts = self.contexts();
        let (left, right) = contexts.big_ints.operands(left, left, right);
        let steps = linear_steps(length(left) + length(right));
        contexts.effort.spend(steps)?;
        Ok(left.cmp(right) as i32)
    }

    fn big_int_not(&mut self, destination: i32, operand: i32) -> HostResult<()> {
        let check = |operand: &BigInt| bits_check(operand, operand);
        self.convert(destination, operand, check, |operand| -operand - 1)
    }

    fn big_int_shr(&mut self, destination: i32, operand: i32, bits: i32) -> HostResult<()> {
        let check = |operand: &BigInt| shift_check(operand, bits).map(|_| 0);
        self.convert(destination, operand, check, |operand| operand >> bits)
    }

    fn big_int_shl(&mut self, destination: i32, operand: i32, bits: i32) -> HostResult<()> {
        // Before the memory is taken. 0 stays 0.
        let check = |operand: &BigInt| {
            let bits = shift_check(operand, bits)?;
            Ok(match operand.sign() {
                Sign::NoSign => 0,
                _ => linear_steps(u64::from(bits) / 8),
            })
        };
        self.convert(destination, operand, check, |operand| operand << bits)
    }

    fn finish_number(&mut self, bytes: Vec<u8>) -> HostResult<()> {
        self.charge_persisted_bytes(bytes.len() as u64);
        self.add_return_data(not_null(bytes))
    }

    fn big_int_finish_unsigned(&mut self, reference: i32) -> HostResult<()> {
        let bytes = self.bytes_of(reference, unsigned_bytes)?;
        self.finish_number(bytes)
    }

    fn big_int_finish_signed(&mut self, reference: i32) -> HostResult<()> {
        let bytes = self.bytes_of(reference, signed_bytes)?;
        self.finish_number(bytes)
    }

    fn big_int_storage_store_unsigned(
        &mut self,
        key_offset: i32,
        key_length: i32,
        source: i32,
    ) -> HostResult<i32> {
        let key = self.load(key_offset, key_length)?;
        let bytes = self.bytes_of(source, unsigned_bytes)?;
        self.write_storage(&key, bytes.into())
    }

    fn big_int_storage_load_unsigned(
        &mut self,
        key_offset: i32,
        key_length: i32,
        destination: i32,
    ) -> HostResult<i32> {
        let bytes = self.read_storage(key_offset, key_length)?;
        self.set_number(destination, from_unsigned_bytes(&bytes))?;
        self.charge_copied_bytes(bytes.len() as u64);
        Ok(as_size(bytes.len()))
    }

    fn big_int_get_unsigned_argument(&mut self, id: i32, destination: i32) -> HostResult<()> {
        if let Some(bytes) = item(&self.contexts().current_call().input.arguments, id)? {
            self.set_number(destination, from_unsigned_bytes(&bytes))?;
        }
        Ok(())
    }

    fn big_int_get_signed_argument(&mut self, id: i32, destination: i32) -> HostResult<()> {
        if let Some(bytes) = item(&self.contexts().current_call().input.arguments, id)? {
            self.set_number(destination, from_signed_bytes(&bytes))?;
        }
        Ok(())
    }

    fn big_int_get_call_value(&mut self, destination: i32) -> HostResult<()> {
        let value = self.contexts().current_call().input.call_value.clone();
        self.set_number(destination, value)
    }

    fn big_int_get_external_balance(&mut self, address_offset: i32, result: i32) -> HostResult<()> {
        let address = self.load_address(address_offset)?;
        let balance = self.contexts().balance(&address)?;
        // Read back from the bytes of the absolute value.
        self.set_number(result, balance.abs())
    }
}

/// For what every two numbers have a result, in no further steps.
fn no_check(_: &BigInt, _: &BigInt) -> Result<u64, ExecutionError> {
    Ok(0)
}

fn product_check(left: &BigInt, right: &BigInt) -> Result<u64, ExecutionError> {
    Ok(product_steps(length(left), length(right)))
}

fn divisor_check(left: &BigInt, right: &BigInt) -> Result<u64, ExecutionError> {
    match right.sign() {
        Sign::NoSign => Err(ExecutionError::DivisionByZero),
        _ => Ok(quotient_steps(length(left), length(right))),
    }
}

fn bits_check(left: &BigInt, right: &BigInt) -> Result<u64, ExecutionError> {
    match left.is_negative() || right.is_negative() {
        true => Err(ExecutionError::NegativeBitwise),
        false => Ok(0),
    }
}

/// By how many bits to shift.
fn shift_check(operand: &BigInt, bits: i32) -> Result<u32, ExecutionError> {
    match u32::try_from(bits) {
        Ok(bits) if !operand.is_negative() => Ok(bits),
        _ => Err(ExecutionError::NegativeShift),
    }
}

/// Quotient and remainder, such that the remainder is not negative.
fn euclidean(left: &BigInt, right: &BigInt) -> (BigInt, BigInt) {
    let (quotient, remainder) = left.div_rem(right);
    if !remainder.is_negative() {
        return (quotient, remainder);
    }
    if right.is_negative() {
        (quotient + 1, remainder - right)
    } else {
        (quotient - 1, remainder + right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn euclidean_division_is_that_of_the_machine(left: i64, right: i64) {
            prop_assume!(right != 0);
            let (quotient, remainder) = euclidean(&left.into(), &right.into());
            let (left, right) = (i128::from(left), i128::from(right));
            prop_assert_eq!(quotient, BigInt::from(left.div_euclid(right)));
            prop_assert_eq!(remainder, BigInt::from(left.rem_euclid(right)));
        }
    }
}
