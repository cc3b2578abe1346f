//! A template as it is deployed with given parameters: conditions decided, `Fn::If` chosen, what a
//! false condition takes away gone. Rules then see what is there rather than what might be.
use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// Parameters by name. One that is not here is known at deployment alone, and is like no literal.
pub(super) type Parameters = BTreeMap<String, Value>;

/// The parameters of `template`: those that are given, else their defaults.
pub(super) fn parameters(template: &Value, given: &Parameters) -> Parameters {
    let declared = template.get("Parameters").and_then(Value::as_object);
    let declared = declared.into_iter().flatten();
    declared
        .filter_map(|(name, parameter)| {
            let value = given.get(name).or_else(|| parameter.get("Default"))?;
            let number = parameter.get("Type").is_some_and(|kind| kind == "Number");
            let parsed = value.as_str().and_then(|text| text.parse::<i64>().ok());
            let value = match parsed {
                Some(parsed) if number => parsed.into(),
                _ => value.clone(),
            };
            (!value.is_object()).then(|| (name.clone(), value))
        })
        .collect()
}

/// Decides whatever `parameters` decide.
pub(super) fn settle(mut template: Value, parameters: &Parameters) -> Result<Value> {
    let conditions = template
        .as_object_mut()
        .and_then(|template| template.remove("Conditions"))
        .unwrap_or_default();
    let known = Known {
        parameters,
        conditions: conditions.as_object().cloned().unwrap_or_default(),
    };
    for section in ["Resources", "Outputs"] {
        let Some(entries) = template.get_mut(section).and_then(Value::as_object_mut) else {
            continue;
        };
        let mut gone = Vec::new();
        for (id, entry) in entries.iter_mut() {
            let condition = entry
                .as_object_mut()
                .and_then(|one| one.remove("Condition"));
            if let Some(condition) = condition
                && !known.holds(condition.as_str().context("a condition has a name")?)?
            {
                gone.push(id.clone());
            }
        }
        entries.retain(|id, _| !gone.contains(id));
    }
    for section in ["Resources", "Outputs"] {
        if let Some(found) = template.get_mut(section) {
            let taken = std::mem::take(found);
            *found = known.value(taken)?.unwrap_or_default();
        }
    }
    Ok(template)
}

struct Known<'a> {
    parameters: &'a Parameters,
    conditions: Map<String, Value>,
}

impl Known<'_> {
    fn holds(&self, condition: &str) -> Result<bool> {
        let expression = self.conditions.get(condition);
        let expression = expression.with_context(|| format!("no condition {condition}"))?;
        self.is_true(expression)
            .with_context(|| format!("condition {condition}"))
    }

    fn is_true(&self, expression: &Value) -> Result<bool> {
        let (function, argument) = function(expression).context("a condition is a function")?;
        let several = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(match (function, several) {
            ("Condition", _) => self.holds(argument.as_str().context("a condition has a name")?)?,
            ("Fn::Not", [one]) => !self.is_true(one)?,
            ("Fn::And", all) => {
                let all: Result<Vec<bool>> = all.iter().map(|one| self.is_true(one)).collect();
                all?.iter().all(|one| *one)
            }
            ("Fn::Or", any) => {
                let any: Result<Vec<bool>> = any.iter().map(|one| self.is_true(one)).collect();
                any?.iter().any(|one| *one)
            }
            ("Fn::Equals", [one, other]) => self.text(one) == self.text(other),
            _ => bail!("{function} is not understood"),
        })
    }

    /// As CloudFormation compares: texts. What is not known is unlike any text.
    fn text(&self, value: &Value) -> String {
        let named = value.get("Ref").and_then(Value::as_str);
        let value = named
            .and_then(|name| self.parameters.get(name))
            .unwrap_or(value);
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    }

    /// The value, decided; nothing for `AWS::NoValue`.
    fn value(&self, value: Value) -> Result<Option<Value>> {
        match function(&value) {
            Some(("Ref", Value::String(name))) if name == "AWS::NoValue" => return Ok(None),
            Some(("Ref", Value::String(name))) => {
                let known = self.parameters.get(name).cloned();
                return Ok(Some(known.unwrap_or(value)));
            }
            Some(("Fn::If", Value::Array(choice))) => {
                let [Value::String(condition), yes, no] = choice.as_slice() else {
                    bail!("Fn::If takes a condition and two values");
                };
                let chosen = if self.holds(condition)? { yes } else { no };
                return self.value(chosen.clone());
            }
            _ => {}
        }
        Ok(Some(match value {
            Value::Array(items) => {
                let items = items.into_iter().map(|item| self.value(item));
                let items: Result<Vec<_>> = items.filter_map(Result::transpose).collect();
                Value::Array(items?)
            }
            Value::Object(entries) => {
                let entries = entries.into_iter().filter_map(|(key, value)| {
                    let value = self.value(value).transpose()?;
                    Some(value.map(|value| (key, value)))
                });
                Value::Object(entries.collect::<Result<_>>()?)
            }
            other => other,
        }))
    }
}

/// The one key of an object, and what it has.
fn function(value: &Value) -> Option<(&str, &Value)> {
    let mut entries = value.as_object()?.iter();
    let (name, argument) = entries.next()?;
    entries
        .next()
        .is_none()
        .then_some((name.as_str(), argument))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::parse;

    const TEMPLATE: &str = "
Parameters:
  Days: {Type: Number, Default: 7}
  Network: {Type: String, Default: none}
  Somebody: {Type: String}
Conditions:
  HasNetwork: !Not [!Equals [!Ref Network, none]]
  HasSomebody: !Not [!Equals [!Ref Somebody, '']]
  Both: !And [!Condition HasNetwork, !Condition HasSomebody]
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: !Ref Days}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      VpcConfig: !If [HasNetwork, {SubnetIds: [!Ref Subnet]}, !Ref AWS::NoValue]
      Layers: [one, !If [Both, two, !Ref AWS::NoValue]]
  Subnet:
    Type: AWS::EC2::Subnet
    Condition: HasNetwork
Outputs:
  Subnet: {Condition: HasNetwork, Value: !Ref Subnet}
";

    fn settled(given: &[(&str, &str)]) -> Value {
        let template = parse(TEMPLATE).unwrap();
        let given = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()));
        let parameters = parameters(&template, &given.collect());
        settle(template, &parameters).unwrap()
    }

    #[test]
    fn by_default() {
        let template = settled(&[]);
        let properties = |id: &str| template["Resources"][id]["Properties"].clone();
        assert_eq!(properties("Logs")["RetentionInDays"], 7);
        assert_eq!(
            properties("Function"),
            serde_json::json!({"Layers": ["one"]})
        );
        assert!(template["Resources"]["Subnet"].is_null());
        assert!(template["Outputs"]["Subnet"].is_null());
    }

    #[test]
    fn with_what_is_given() {
        let template = settled(&[("Network", "private"), ("Days", "3653")]);
        let properties = |id: &str| template["Resources"][id]["Properties"].clone();
        assert_eq!(properties("Logs")["RetentionInDays"], 3653);
        // What is known at deployment alone is somebody.
        assert_eq!(properties("Function")["Layers"][1], "two");
        assert_eq!(
            properties("Function")["VpcConfig"]["SubnetIds"][0]["Ref"],
            "Subnet"
        );
        assert_eq!(template["Resources"]["Subnet"]["Type"], "AWS::EC2::Subnet");
        assert!(template["Resources"]["Subnet"]["Condition"].is_null());
        assert_eq!(template["Outputs"]["Subnet"]["Value"]["Ref"], "Subnet");
    }
}
