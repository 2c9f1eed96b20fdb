package judge

import (
	"cmp"
	"slices"

	"github.com/etcdsift/etcdsift/analyzer/report"
)

// rules are all rules, those of each rule_*.go, the gravest first.
var rules = gravestFirst(plaintextRules, evidenceRules, memberRules, policyRules, proofRules, nonceRules, overuseRules, providerRules)

func gravestFirst(groups ...[]report.Rule) []report.Rule {
	all := slices.Concat(groups...)
	slices.SortStableFunc(all, func(x, y report.Rule) int { return cmp.Compare(y.Severity, x.Severity) })
	return all
}

// Rules lists every rule, the gravest first.
func Rules() []report.Rule { return slices.Clone(rules) }

// ruleOf is the rule of that ID, the zero Rule if there is none.
func ruleOf(id report.RuleID) *report.Rule {
	for i := range rules {
		if rules[i].ID == id {
			return &rules[i]
		}
	}
	return &report.Rule{}
}

// severityOf is the severity of the findings of a rule, unless they have one of their own.
func severityOf(id report.RuleID) report.Severity { return ruleOf(id).Severity }
