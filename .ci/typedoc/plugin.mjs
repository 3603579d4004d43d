// Two things TypeDoc does not see by itself. An operation is a function, whether it was written as one or made by one
// (`export const add = binary(...)`). And a method of Tensor is an operation without its first argument
// (engine/ops/index.ts): it has the comment of the operation, as in editors.

import {
  Converter,
  ParameterReflection,
  ReferenceType,
  ReflectionFlag,
  ReflectionKind,
  ReflectionType,
} from 'typedoc';

/** The parameters of a method: those of the operation without the first. */
const asMethod = (method, operation) =>
  operation.parameters.slice(1).map((given) => {
    const parameter = new ParameterReflection(given.name, ReflectionKind.Parameter, method);
    parameter.type = given.type;
    parameter.defaultValue = given.defaultValue;
    parameter.flags.setFlag(ReflectionFlag.Optional, given.flags.isOptional);
    return parameter;
  });

/** @param {import('typedoc').Application} app */
export function load(app) {
  const operations = [];
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
