// A file of its own: old versions of Node cannot parse it.
import('../dist/cli/main.js');
