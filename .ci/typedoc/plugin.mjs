// Three things TypeDoc does not see by itself. An operation is a function, whether it was written as one or made by one
// (`export const add = binary(...)`). And a method of Tensor is an operation without its first argument
// (engine/ops/index.ts): it has the comment of the operation, as in editors. Options and metrics say in their records what
// they are about (unlearn/options/fields.ts, unlearn/metrics/record.ts): that is their comment.

import {
  Comment,
  Converter,
  ParameterReflection,
  ReferenceType,
  ReflectionFlag,
  ReflectionKind,
  ReflectionType,
} from 'typedoc';
import ts from 'typescript';

/** The parameters of a method: those of the operation without the first. */
const asMethod = (method, operation) =>
  operation.parameters.slice(1).map((given) => {
    const parameter = new ParameterReflection(given.name, ReflectionKind.Parameter, method);
    parameter.type = given.type;
    parameter.defaultValue = given.defaultValue;
    parameter.flags.setFlag(ReflectionFlag.Optional, given.flags.isOptional);
    return parameter;
  });

const propertyOf = (object, name) => object.properties.find((p) => p.name?.text === name);

/**
 * What a record says of what it holds. A schema: the first text among the arguments of the call that makes it; a fact: its
 * `about`; a method: what its options are about; a metric: its definition. Follows names to where they are declared.
 */
function aboutOf(node, checker) {
  if (node === undefined) return undefined;
  const declared = (name) => {
    const found = ts.isShorthandPropertyAssignment(name.parent)
      ? checker.getShorthandAssignmentValueSymbol(name.parent)
      : checker.getSymbolAtLocation(name);
    const symbol = found && found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
    return symbol?.declarations?.[0];
  };
  if (ts.isShorthandPropertyAssignment(node)) return aboutOf(declared(node.name)?.initializer, checker);
  if (ts.isPropertyAssignment(node)) return aboutOf(node.initializer, checker);
  if (ts.isIdentifier(node)) return aboutOf(declared(node)?.initializer, checker);
  if (ts.isPropertyAccessExpression(node)) {
    if (node.name.text === 'wrapped') return aboutOf(node.expression, checker);
    return aboutOf(declared(node.name), checker);
  }
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isObjectLiteralExpression(node)) return aboutOf(propertyOf(node, 'about'), checker);
  if (!ts.isCallExpression(node)) return undefined;
  const [first] = node.arguments;
  if (first && ts.isObjectLiteralExpression(first))
    return aboutOf(propertyOf(first, 'options') ?? propertyOf(first, 'definition'), checker);
  const made = ts.isPropertyAccessExpression(node.expression) ? node.expression.name : node.expression;
  if (['opt', 'optional', 'pipe'].includes(made.text)) return aboutOf(first, checker);
  return node.arguments.find(ts.isStringLiteralLike)?.text ?? aboutOf(first, checker);
}

/** Types inside a type. */
const partsOf = (type) => [
  ...(type.typeArguments ?? []),
  ...(type.types ?? type.elements ?? []),
  ...(type.declaration?.children ?? []).map((child) => child.type),
];

/** A schema that says what it is about, as the type of the options that it takes. */
function takes(type) {
  if (type?.type !== 'reference' || type.name !== 'SchemaWithPipe') return null;
  const last = type.typeArguments?.[0]?.target?.elements?.at(-1) ?? type.typeArguments?.[0]?.elements?.at(-1);
  return last?.name === 'MetadataAction' ? last.typeArguments[0] : null;
}

/** Shows options instead of schemas, and records by name, here and in whatever the type is made of. */
function readable(type, project) {
  const forget = (schema, kept) => {
    for (const part of partsOf(schema.target ?? schema).filter((part) => part && part !== kept)) {
      forget(part, kept);
      if (part instanceof ReflectionType) project.removeReflection(part.declaration);
    }
  };
  type.typeArguments = type.typeArguments?.map((argument) => {
    const options = takes(argument);
    if (options) forget(argument, options);
    return options ?? argument;
  });
  if (type.name === 'MetricRecord')
    for (const argument of type.typeArguments?.splice(1) ?? []) {
      forget(argument);
      if (argument instanceof ReflectionType) project.removeReflection(argument.declaration);
    }
  for (const part of partsOf(type)) if (part) readable(part, project);
}

/** @param {import('typedoc').Application} app */
export function load(app) {
  const operations = [];
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Property) || reflection.hasComment()) return;
    const declaration = context.getSymbolFromReflection(reflection)?.declarations?.[0];
    if (!declaration?.getSourceFile().fileName.includes('/unlearn/')) return;
    const about = aboutOf(declaration, context.checker);
    if (about) reflection.comment = new Comment([{ kind: 'text', text: about }]);
  });
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (reflection.kindOf(ReflectionKind.Variable) && reflection.type)
      readable(reflection.type, context.project);
  });
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    const { type } = reflection;
    const variable = reflection.kindOf(ReflectionKind.Variable);
    if (!variable && !reflection.kindOf(ReflectionKind.Property)) return;
    if (!(type instanceof ReflectionType) || !type.declaration.signatures || type.declaration.children)
      return;
    const declaration = context.getSymbolFromReflection(reflection)?.declarations?.[0];
    // An option that is a function stays an option.
    if (!declaration?.getSourceFile().fileName.includes('/engine/ops/')) return;
    const comment = reflection.comment ?? (declaration.body && context.getSignatureComment(declaration));
    reflection.kind = variable ? ReflectionKind.Function : ReflectionKind.Method;
    reflection.signatures = type.declaration.signatures;
    for (const signature of reflection.signatures) {
      signature.name = reflection.name;
      signature.parent = reflection;
      signature.comment = comment?.clone();
    }
    delete reflection.comment;
    delete reflection.type;
    delete reflection.defaultValue;
    reflection.flags.setFlag(ReflectionFlag.Const, false);
    context.project.removeReflection(type.declaration);
    operations.push(reflection);
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const functions = new Map(
      project.getReflectionsByKind(ReflectionKind.Function).map((f) => [f.getFullName('.'), f]),
    );
    for (const { kind, name, signatures, sources } of operations)
      for (const signature of signatures) {
        signature.sources = sources;
        if (kind === ReflectionKind.Method)
          signature.parameters = asMethod(signature, functions.get(`lethe.${name}`).signatures[0]);
      }
    const tensor = project.getReflectionsByKind(ReflectionKind.Class).find(({ name }) => name === 'Tensor');
    // How the methods come to be there is of no use to readers.
    tensor.extendedTypes = tensor.extendedTypes?.filter(
      (t) => !(t instanceof ReferenceType && t.name === 'Methods'),
    );
    if (tensor.extendedTypes?.length === 0) delete tensor.extendedTypes;
  });
}
