// Holds CloudFormation templates against cdk-nag's rules: node nag.mjs FOLDER, where each template is
// <stack>.json. Prints what violates them: [{pack, stack, resource, rule, text}].
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { AwsSolutionsChecks, HIPAASecurityChecks, ServerlessChecks } from 'cdk-nag';

const folder = process.argv[2];
const app = new App();
for (const file of readdirSync(folder)) {
  const stack = new Stack(app, basename(file, '.json'));
  new CfnInclude(stack, 'template', { templateFile: join(folder, file) });
}

const found = [];
for (const pack of [new HIPAASecurityChecks(), new AwsSolutionsChecks(), new ServerlessChecks()]) {
  for (const violation of pack.validateScope(app).violations) {
    for (const { constructPath } of violation.violatingResources) {
      const [stack, , resource] = constructPath.split('/');
      found.push({
        pack: pack.readPackName,
        stack,
        resource,
        rule: violation.ruleName,
        text: violation.description,
      });
    }
  }
}
process.stdout.write(JSON.stringify(found));
