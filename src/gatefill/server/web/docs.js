/** The documents of the service, made of its own openapi.json: nothing comes from elsewhere. */

import { find, make } from "./notices.js";

const SHOWN = 66; // characters of an example's strings

function fieldRows(schema) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, field]) =>
    make(
      "tr", {},
      make("td", {}, make("code", {}, name), required.has(name) ? " *" : ""),
      make("td", {}, kindOf(field)),
      make("td", {}, field.description ?? ""),
    ),
  );
}

function kindOf(field) {
  if (field.anyOf) return field.anyOf.map(kindOf).filter((kind) => kind !== "null").join(" or ");
  if (field.enum) return field.enum.join(", ");
  if (field.format === "binary") return "file";
  if (field.type === "array") return `list of ${kindOf(field.items)}`;
  return field.type ?? "";
}

function shortened(value) {
  if (typeof value !== "string") return value;
  return value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value;
}

/** How to call a route with curl. */
function curl(method, path, type, schema, example) {
  const address = decodeURI(new URL(`.${path}`, location.href).href); // {id} as it is written
  if (!type) return method === "get" ? `curl ${address}` : `curl -X ${method.toUpperCase()} ${address}`;
  if (type === "application/json") {
    const body = JSON.stringify(example ?? {}, (_, value) => shortened(value));
    return `curl ${address} -H 'Content-Type: application/json' \\\n  -d '${body}'`;
  }
  const files = (schema.required ?? []).map((name) => ` \\\n  -F ${name}=@${name}.png`).join("");
  return `curl ${address}${files} -o result`;
}

/** A schema, also where it stands among the components of the description. */
function resolved(schema, described) {
  if (!schema.$ref) return schema;
  return schema.$ref.split("/").slice(1).reduce((found, key) => found[key], described);
}

function bodyPart(method, path, type, content, described) {
  const schema = resolved(content.schema, described);
  const example = content.example ?? schema.examples?.[0];
  return [
    make("h3", {}, `Body: ${type}`),
    make("table", {}, ...fieldRows(schema)),
    make("pre", { tabindex: "0" }, curl(method, path, type, schema, example)),
  ];
}

function route(method, path, operation, described) {
  const bodies = Object.entries(operation.requestBody?.content ?? {});
  const replies = Object.entries(operation.responses).map(([status, reply]) =>
    make(
      "tr", {},
      make("td", {}, make("code", {}, status)),
      make("td", {}, Object.keys(reply.content ?? {}).join(", ")),
      make("td", {}, reply.description),
    ),
  );
  const inside = [
    ...(operation.description ? [make("p", {}, operation.description)] : []),
    ...bodies.flatMap(([type, content]) => bodyPart(method, path, type, content, described)),
    ...(bodies.length ? [] : [make("pre", { tabindex: "0" }, curl(method, path))]),
    make("h3", {}, "Replies"),
    make("table", {}, ...replies),
  ];
  const heading = make(
    "summary", {},
    make("b", {}, method.toUpperCase()), make("code", {}, path), make("span", {}, operation.summary),
  );
  return make("details", { id: `${method}${path}` }, heading, make("div", { class: "inside" }, ...inside));
}

async function start() {
  const described = await (await fetch("openapi.json")).json();
  const groups = new Map();
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const [tag] = operation.tags;
      if (!groups.has(tag)) groups.set(tag, [make("h2", {}, tag)]);
      groups.get(tag).push(route(method, path, operation, described));
    }
  }
  find("routes").replaceChildren(...[...groups.values()].flat());
  find("routes").querySelector("details").open = true;
  document.body.dataset.ready = "yes";
}

start();
