//! `->` and `->>` on columns of JSON text, as PostgreSQL and DuckDB have them.
//!
//! The fields of a record are one JSON object; without these operators SQL could not look into it.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use serde_json::Value;
use std::sync::Arc;

/// Teaches a context the operators.
pub(crate) fn install(context: &SessionContext) -> Result<()> {
    context
        .state_ref()
        .write()
        .register_expr_planner(Arc::new(Arrows))
}

#[derive(Debug)]
struct Arrows;

impl ExprPlanner for Arrows {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let as_text = match expr.op {
            BinaryOperator::Arrow => false,
            BinaryOperator::LongArrow => true,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let function = Arc::new(ScalarUDF::from(Member {
            as_text,
            signature: Signature::any(2, Volatility::Immutable),
        }));
        let call = ScalarFunction::new_udf(function, vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}

/// Takes a member of an object by name, or of an array by position.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Member {
    as_text: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Member {
    fn name(&self) -> &str {
        if self.as_text {
            "json_member_text"
        } else {
            "json_member"
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let text = |value: &ColumnarValue| -> Result<ArrayRef> {
            Ok(cast(&value.to_array(rows)?, &DataType::Utf8)?)
        };
        let (documents, names) = (text(&args.args[0])?, text(&args.args[1])?);
        let (documents, names) = (documents.as_string::<i32>(), names.as_string::<i32>());
        let mut found = StringBuilder::new();
        for row in 0..documents.len() {
            if documents.is_null(row) || names.is_null(row) {
                found.append_null();
                continue;
            }
            let document: Value = serde_json::from_str(documents.value(row)).map_err(|error| {
                DataFusionError::Execution(format!("`->` needs JSON on its left side: {error}"))
            })?;
            let name = names.value(row);
            let member = match &document {
                Value::Object(members) => members.get(name),
                Value::Array(members) => name.parse().ok().and_then(|at: usize| members.get(at)),
                _ => None,
            };
            match member {
                Some(Value::String(text)) if self.as_text => found.append_value(text),
                Some(Value::Null) if self.as_text => found.append_null(),
                Some(value) => found.append_value(value.to_string()),
                None => found.append_null(),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(found.finish())))
    }
}
