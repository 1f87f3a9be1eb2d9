//! Whole numbers never wrap round in silence.
//!
//! DataFusion adds, subtracts, multiplies and sums 64-bit integers modulo 2^64: two amounts of wei are
//! enough for a plausible wrong answer. Here `+`, `-` and `*` fail when they overflow, as in PostgreSQL
//! and DuckDB, and SUM over BIGINT is a decimal, as in PostgreSQL. Sums of decimals wrap round as well: they have ten
//! digits more than what is summed, or what is summed may not have so many.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Decimal256Type, i256,
};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::{FunctionRewrite, NamePreserver};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility, WindowFunctionDefinition, cast,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// Makes a context compute exactly.
pub(crate) fn install(context: &SessionContext) -> Result<()> {
    use datafusion::execution::FunctionRegistry;
    context.add_analyzer_rule(Arc::new(Checked));
    context
        .state_ref()
        .write()
        .register_function_rewrite(Arc::new(WideSum))
}

/// `SUM(bigint)` sums as DECIMAL(19), whose sum is DECIMAL(29): ten thousand million rows fit. Decimals that leave no
/// room for that in their type are summed in a wider one.
///
/// It runs before types are coerced, so that what uses the sum is coerced to a decimal as well.
#[derive(Debug)]
struct WideSum;

impl FunctionRewrite for WideSum {
    fn name(&self) -> &str {
        "wide_sum"
    }

    fn rewrite(
        &self,
        mut expr: Expr,
        schema: &DFSchema,
        _config: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        let args = match &mut expr {
            Expr::AggregateFunction(AggregateFunction { func, params }) if func.name() == "sum" => {
                &mut params.args
            }
            Expr::WindowFunction(window) => match &window.fun {
                WindowFunctionDefinition::AggregateUDF(func) if func.name() == "sum" => {
                    &mut window.params.args
                }
                _ => return Ok(Transformed::no(expr)),
            },
            _ => return Ok(Transformed::no(expr)),
        };
        let Some(arg) = args.first_mut() else {
            return Ok(Transformed::no(expr));
        };
        let data_type = arg.get_type(schema)?;
        let addend = std::mem::take(arg);
        *arg = match data_type {
            DataType::Int64 => cast(addend, DataType::Decimal128(19, 0)),
            DataType::UInt64 => cast(addend, DataType::Decimal128(20, 0)),
            DataType::Decimal128(digits, scale) if digits > DECIMAL128_MAX_PRECISION - SPARE => {
                cast(addend, DataType::Decimal256(digits, scale))
            }
            DataType::Decimal256(digits, _) if digits > DECIMAL256_MAX_PRECISION - SPARE => {
                ScalarUDF::from(Addend::default()).call(vec![addend])
            }
            _ => {
                *arg = addend;
                return Ok(Transformed::no(expr));
            }
        };
        Ok(Transformed::yes(expr))
    }
}

/// Digits that a sum has more than what is summed.
const SPARE: u8 = 10;

/// Lets numbers pass whose sum fits, whichever ten thousand million they are.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Addend {
    signature: Signature,
}

impl Default for Addend {
    fn default() -> Addend {
        Addend {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Addend {
    fn name(&self) -> &str {
        "addend"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types[0].clone())
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(value) = args.args.pop() else {
            return datafusion::common::internal_err!("addend takes a value");
        };
        let digits = DECIMAL256_MAX_PRECISION - SPARE;
        let limit = i256::from_i128(10).wrapping_pow(u32::from(digits));
        let array = value.to_array(args.number_rows)?;
        let values = array.as_primitive::<Decimal256Type>();
        match values
            .iter()
            .flatten()
            .any(|value| value.wrapping_abs() >= limit)
        {
            true => exec_err!(
                "numbers of more than {digits} digits cannot be summed: the sum may not fit"
            ),
            false => Ok(value),
        }
    }
}

/// Puts a function that fails on overflow in the place of `+`, `-`, `*` between integers.
///
/// It runs after types were coerced: both sides have one type then.
#[derive(Debug)]
struct Checked;

impl AnalyzerRule for Checked {
    fn name(&self) -> &str {
        "checked_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let mut schema = merge_schema(&plan.inputs());
            if let LogicalPlan::TableScan(scan) = &plan {
                schema.merge(&scan.projected_schema);
            }
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| checked(expr, &schema))?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })
        })
        .map(|plan| plan.data)
    }
}

fn checked(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else {
        return Ok(Transformed::no(expr));
    };
    let is_arithmetic = matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply);
    if is_arithmetic {
        let data_type = left.get_type(schema)?;
        if data_type.is_integer() && data_type == right.get_type(schema)? {
            let function = Arc::new(ScalarUDF::from(CheckedOperator::new(op)));
            let call = ScalarFunction::new_udf(function, vec![*left, *right]);
            return Ok(Transformed::yes(Expr::ScalarFunction(call)));
        }
    }
    Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr {
        left,
        op,
        right,
    })))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedOperator {
    op: Operator,
    signature: Signature,
}

impl CheckedOperator {
    fn new(op: Operator) -> CheckedOperator {
        CheckedOperator {
            op,
            signature: Signature::any(2, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for CheckedOperator {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => "checked_add",
            Operator::Minus => "checked_subtract",
            _ => "checked_multiply",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return datafusion::common::internal_err!("{} takes two values", self.name());
        };
        apply(left, right, |a, b| match self.op {
            Operator::Plus => numeric::add(a, b),
            Operator::Minus => numeric::sub(a, b),
            _ => numeric::mul(a, b),
        })
    }
}
