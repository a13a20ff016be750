// kubernetes.mjs MANIFEST DIRECTORY: check each document of the manifest with the
// schema of its kind, from the npm packages in DIRECTORY.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const require = createRequire(resolve(process.argv[3]) + '/');
const yaml = require('yaml');
for (const document of yaml.parseAllDocuments(readFileSync(process.argv[2], 'utf8'))) {
	if (document.errors.length > 0)
		throw document.errors[0];
	const value = document.toJS();
	const kinds = require(`kubernetes-models/${value.apiVersion}/${value.kind}`);
	new kinds[value.kind](value).validate();
	console.log(value.kind, value.metadata.name);
}
