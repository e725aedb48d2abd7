/**
 * By which property the members of a union are told apart, read from its type: the one that two of them at least give as a
 * text. Interfaces and types of the same file are followed by their names; of a schema, `discriminatedUnion` says it. Pure.
 */
import { parseSync, type TSSignature, type TSType, Visitor } from 'oxc-parser';

export interface Discriminant {
  readonly line: number;
  readonly name: string;
}

/** @param fileName says which language it is in */
export function discriminantsOf(fileName: string, source: string): Discriminant[] {
  const { program } = parseSync(fileName, source);
  const named = new Map<string, Shape>();
  const unions: Extract<TSType, { type: 'TSUnionType' }>[] = [];
  const schemas: Discriminant[] = [];
  new Visitor({
    TSInterfaceDeclaration: ({ id, body }) => void named.set(id.name, body.body),
    TSTypeAliasDeclaration: ({ id, typeAnnotation }) => void named.set(id.name, typeAnnotation),
    TSUnionType: (union) => void unions.push(union),
    CallExpression: ({ callee, arguments: [first], start }) => {
      if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return;
      if (callee.property.name !== 'discriminatedUnion' || first?.type !== 'Literal') return;
      schemas.push({ line: lineAt(source, start), name: String(first.value) });
    },
  }).visit(program);

  const types = unions.flatMap((union) => {
    const counts = new Map<string, number>();
    for (const member of union.types) {
      for (const name of literalsIn(member, named, 0)) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const line = lineAt(source, union.start);
    return [...counts].filter(([, count]) => count > 1).map(([name]) => ({ line, name }));
  });
  return [...types, ...schemas];
}

function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length;
}

/** What a name of the file stands for: the members of an interface, or a type. */
type Shape = readonly TSSignature[] | TSType;

/** The properties of an object type that have a text as their type, or one of several. */
function literalsIn(type: TSType, named: ReadonlyMap<string, Shape>, depth: number): Set<string> {
  switch (type.type) {
    case 'TSParenthesizedType':
      return literalsIn(type.typeAnnotation, named, depth);
    case 'TSIntersectionType':
      return new Set(type.types.flatMap((part) => [...literalsIn(part, named, depth)]));
    case 'TSTypeReference': {
      const target = type.typeName.type === 'Identifier' ? named.get(type.typeName.name) : undefined;
      if (target === undefined || depth > 5) return new Set();
      return 'type' in target ? literalsIn(target, named, depth + 1) : textsAmong(target);
    }
    case 'TSTypeLiteral':
      return textsAmong(type.members);
    default:
      return new Set();
  }
}

function textsAmong(members: readonly TSSignature[]): Set<string> {
  return new Set(
    members.flatMap((member) => {
      if (member.type !== 'TSPropertySignature' || member.key.type !== 'Identifier') return [];
      const type = member.typeAnnotation?.typeAnnotation;
      return type !== undefined && isText(type) ? [member.key.name] : [];
    }),
  );
}

function isText(type: TSType): boolean {
  if (type.type === 'TSUnionType') return type.types.every(isText);
  return type.type === 'TSLiteralType' && type.literal.type === 'Literal' && typeof type.literal.value === 'string';
}
