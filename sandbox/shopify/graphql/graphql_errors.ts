import { type GraphQLError, GraphQLError as ShopifyError } from 'graphql';

type Shape = {
  pattern: RegExp;
  code: string;
  message: (parts: string[]) => string;
  extra: (parts: string[]) => object;
};

// graphql-js finds what is wrong; Shopify says it in its own words, and clients look at `code`.
const SHAPES: Shape[] = [
  {
    pattern: /^Cannot query field "(\w+)" on type "(\w+)"/,
    code: 'undefinedField',
    message: ([field, type]) => `Field '${field}' doesn't exist on type '${type}'`,
    extra: ([fieldName, typeName]) => ({ typeName, fieldName }),
  },
  {
    pattern: /^Unknown argument "(\w+)" on field "(\w+)\.(\w+)"/,
    code: 'argumentNotAccepted',
    message: ([argument, , field]) => `Field '${field}' doesn't accept argument '${argument}'`,
    extra: ([argumentName, typeName, name]) => ({ name, typeName, argumentName }),
  },
  {
    pattern: /^Field "(\w+)" argument "(\w+)" of type "([^"]+)" is required/,
    code: 'missingRequiredArguments',
    message: ([field, argument]) => `Field '${field}' is missing required arguments: ${argument}`,
    extra: ([name, args]) => ({ className: 'Field', name, arguments: args }),
  },
  {
    pattern: /^Field "(\w+)" of type "([^"]+)" must have a selection of subfields/,
    code: 'selectionMismatch',
    message: ([field, type]) =>
      `Field must have selections (field '${field}' returns ${type} but has no selections)`,
    extra: ([, typeName]) => ({ typeName }),
  },
  {
    pattern: /^Variable "\$(\w+)" of (?:required )?type "([^"]+)"/,
    code: 'INVALID_VARIABLE',
    message: ([name, type]) => `Variable $${name} of type ${type} was provided invalid value`,
    extra: () => ({}),
  },
  {
    pattern: /^Variable "\$(\w+)" got invalid value/,
    code: 'INVALID_VARIABLE',
    message: ([name]) => `Variable $${name} was provided invalid value`,
    extra: () => ({}),
  },
];

/** An error as Shopify shapes it; one that already carries its code stays as it is. */
export function toShopifyShape(error: GraphQLError, fallbackCode: string): GraphQLError {
  if (error.extensions.code) return error;
  for (const { pattern, code, message, extra } of SHAPES) {
    const match = pattern.exec(error.message);
    if (!match) continue;
    const parts = match.slice(1);
    return new ShopifyError(message(parts), {
      nodes: error.nodes,
      extensions: { code, ...extra(parts) },
    });
  }
  return new ShopifyError(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    path: error.path,
    extensions: { code: fallbackCode },
  });
}
