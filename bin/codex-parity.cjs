#!/usr/bin/env node
// Old versions of Node must be able to parse this file: no syntax newer than ES5.
'use strict';

var needed = require('../package.json').engines.node.replace('>=', '');
var problem = require('./node-problem.cjs')(process.versions.node, needed);

if (problem === undefined) require('./start.cjs');
else {
  // biome-ignore lint/style/useTemplate: no template literals in ES5
  console.error('codex-parity: ' + problem);
  process.exit(2);
}
