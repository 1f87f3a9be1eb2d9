//! Whole numbers never wrap round in silence.
//!
//! DataFusion adds, subtracts, multiplies and sums 64-bit integers modulo 2^64: two amounts of wei are
//! enough for a plausible wrong answer. Here `+`, `-` and `*` fail when they overflow, as in PostgreSQL
//! and DuckDB, and SUM over BIGINT is a decimal, as in PostgreSQL.

use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
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

/// `SUM(bigint)` sums as DECIMAL(19), whose sum is DECIMAL(29): ten thousand million rows fit.
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
        let digits = match arg.get_type(schema)? {
            DataType::Int64 => 19,
            DataType::UInt64 => 20,
            _ => return Ok(Transformed::no(expr)),
        };
        *arg = cast(std::mem::take(arg), DataType::Decimal128(digits, 0));
        Ok(Transformed::yes(expr))
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
