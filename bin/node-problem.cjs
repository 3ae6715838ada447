// Old versions of Node must be able to parse this file: no syntax newer than ES5.
'use strict';

/**
 * What is wrong with a version of Node, such as 20.1.0, if it is older than the one that is needed; undefined if it is not.
 */
module.exports = function nodeProblem(version, needed) {
  var has = version.split('.').map(Number);
  var needs = needed.split('.').map(Number);
  var part;
  for (part = 0; part < needs.length; part += 1) {
    if (has[part] > needs[part]) return undefined;
    if (has[part] < needs[part])
      // biome-ignore lint/style/useTemplate: no template literals in ES5
      return 'Node ' + needed + ' or later is needed, and this is ' + version + ': install a newer Node';
  }
  return undefined;
};
