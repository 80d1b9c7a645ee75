"""Small changes of a solution, each of which should make it wrong: constants, comparisons, axes, signs, the order of
log and sum. `mutants(source)` lists them; test_exercises.py asks the checks of the sheets about each.
"""

import ast
from collections.abc import Iterator
from itertools import islice

COMPARED = {
    ast.Lt: [ast.LtE, ast.Gt], ast.LtE: [ast.Lt, ast.GtE], ast.Gt: [ast.GtE, ast.Lt], ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.In: [ast.NotIn], ast.NotIn: [ast.In], ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
}  # fmt: skip
COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Pow: ast.Mult,
}  # fmt: skip
CALLED = {  # a function, and what is taken for it
    "argmax": "argmin", "argmin": "argmax", "max": "min", "min": "max", "sum": "mean", "mean": "sum", "any": "all",
    "all": "any", "log": "log2", "log2": "log", "softmax": "log_softmax", "log_softmax": "softmax", "exp": "log",
    "sin": "cos", "cos": "sin", "cumsum": "cumprod", "floor": "ceil", "ceil": "floor", "triu": "tril", "tril": "triu",
}  # fmt: skip
REDUCED = {"sum", "mean"}
RISING = {"log", "log2", "exp", "sqrt", "square"}


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of this node."""
    match node:
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield from (ast.Constant(node.value + step) for step in (1, -1))
        case ast.Compare(ops=[operator]):
            for other in COMPARED.get(type(operator), []):
                yield ast.Compare(node.left, [other()], node.comparators)
        case ast.BinOp() if type(node.op) in COMPUTED:
            yield ast.BinOp(node.left, COMPUTED[type(node.op)](), node.right)
            if isinstance(node.op, (ast.Sub, ast.Div, ast.Pow, ast.MatMult)):
                yield ast.BinOp(node.right, node.op, node.left)
        case ast.UnaryOp(op=ast.USub() | ast.Not() | ast.Invert()):
            yield node.operand
        case ast.BoolOp():
            yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        case ast.IfExp():
            yield ast.IfExp(node.test, node.orelse, node.body)
        case ast.Call(func=ast.Attribute(attr=name)) if name in CALLED:
            yield ast.Call(ast.Attribute(node.func.value, CALLED[name], ast.Load()), node.args, node.keywords)
        case ast.Call(func=ast.Name(id=name)) if name in CALLED:
            yield ast.Call(ast.Name(CALLED[name], ast.Load()), node.args, node.keywords)
    match node:  # f(x).sum() -> f(x.sum()), written with methods or with functions of NumPy
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Attribute()) as inner, attr=outer)) if (
            outer in REDUCED and inner.func.attr in RISING
        ):
            if inner.args:  # np.log(x).sum()
                reduced = ast.Call(ast.Attribute(inner.args[0], outer, ast.Load()), node.args, node.keywords)
                yield ast.Call(inner.func, [reduced], [])
            else:  # x.log().sum()
                reduced = ast.Call(ast.Attribute(inner.func.value, outer, ast.Load()), node.args, node.keywords)
                yield ast.Call(ast.Attribute(reduced, inner.func.attr, ast.Load()), [], [])


def mutants(source: str) -> dict[str, str]:
    """The source with one small change between the marks of its solution, for each; by the line that has changed."""
    lines = source.splitlines()
    begin = next(i for i, line in enumerate(lines, 1) if "### BEGIN SOLUTION" in line)
    end = next(i for i, line in enumerate(lines, 1) if "### END SOLUTION" in line)
    found, before = {}, ast.unparse(ast.parse(source))
    for place, spot in enumerate(ast.walk(ast.parse(source))):
        if not begin < getattr(spot, "lineno", 0) < end:
            continue
        for choice in range(len(list(variants(spot)))):
            tree = ast.parse(source)
            node = next(islice(ast.walk(tree), place, None))
            changed = ast.unparse(ast.fix_missing_locations(Replace(node, list(variants(node))[choice]).visit(tree)))
            differ = [(a, b) for a, b in zip(before.splitlines(), changed.splitlines()) if a != b]
            if differ:
                found[differ[0][1].strip()] = changed
    return found


class Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)
