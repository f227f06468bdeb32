"""Every call that Segue makes at AWS, made by the AWS CLI against a sandbox, with its waiters and paginators.

Reads the sandbox's ready line on stdin. The first command that fails ends it with what the CLI said and exit code 1.
Says on stdout, as JSON, which calls were answered well, by AWS's names.
"""

import json
import os
import subprocess
import sys

import boto3

READY = json.load(sys.stdin)
KEYS = READY["credentials"]
AWS = os.path.join(os.path.dirname(sys.executable), "aws")
ENVIRONMENT = os.environ | {
    "AWS_ACCESS_KEY_ID": KEYS["access_key_id"],
    "AWS_SECRET_ACCESS_KEY": KEYS["secret_access_key"],
    "AWS_DEFAULT_REGION": READY["region"],
    "AWS_ENDPOINT_URL": READY["aws"],
    "AWS_PAGER": "",
}
CALLS = set()


def start(service, command, *words):
    line = [AWS, service, command, *words, "--output", "json"]
    return subprocess.Popen(line, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process):
    out, err = process.communicate()
    assert process.returncode == 0, f"{' '.join(process.args)}: {err}"
    if process.args[2] != "wait":
        CALLS.add("".join(part.capitalize() for part in process.args[2].split("-")))
    return json.loads(out) if out.strip() else None


def run(*words):
    return end(start(*words))


def together(*commands):
    """Commands that do not need each other; a process of the CLI takes a second to start."""
    return [end(process) for process in [start(*words) for words in commands]]


def wait(service, what, flag, *ids):
    """By the CLI's waiter. It looks every fifteen seconds, so boto3's, which can look every second, goes before it."""
    client = boto3.client(
        service, endpoint_url=READY["aws"], region_name=READY["region"],
        aws_access_key_id=KEYS["access_key_id"], aws_secret_access_key=KEYS["secret_access_key"],
    )
    if service == "ec2":
        arguments = {"InstanceIds": list(ids)}
    else:
        arguments = {"TargetGroupArn": ids[0], "Targets": [{"Id": entry.removeprefix("Id=")} for entry in ids[2:]]}
    quick = {"Delay": 1, "MaxAttempts": 60}
    client.get_waiter(what.replace("-", "_")).wait(**arguments, WaiterConfig=quick)
    run(service, "wait", what, flag, *ids)


template, group, listener = READY["launch_template"], READY["target_groups"]["b"], READY["listener_arn"]
launched, images, subnets, templates, groups, rules, listeners, balancers, _, _ = together(
    ("ec2", "run-instances", "--launch-template", f"LaunchTemplateId={template}", "--image-id", READY["images"]["2"],
     "--subnet-id", READY["subnets"][1], "--count", "6"),
    ("ec2", "describe-images", "--owners", "self", "--page-size", "5"),
    ("ec2", "describe-subnets", "--page-size", "5"),
    ("ec2", "describe-launch-templates", "--page-size", "1"),
    ("elbv2", "describe-target-groups"),
    ("elbv2", "describe-rules", "--listener-arn", listener),
    ("elbv2", "describe-listeners", "--listener-arns", listener),
    ("elbv2", "describe-load-balancers"),
    ("ec2", "wait", "image-available", "--image-ids", *READY["images"].values()),
    ("elbv2", "wait", "load-balancer-available", "--load-balancer-arns", READY["load_balancer_arn"]),
)
instances = [instance["InstanceId"] for instance in launched["Instances"]]
assert len(instances) == 6, launched
assert {image["ImageId"] for image in images["Images"]} == set(READY["images"].values())
assert {subnet["SubnetId"] for subnet in subnets["Subnets"]} == set(READY["subnets"])
assert [one["LaunchTemplateId"] for one in templates["LaunchTemplates"]] == [template]
assert len(groups["TargetGroups"]) == len(READY["target_groups"]) + len(READY["slots"])
assert len(rules["Rules"]) == len(READY["slots"]) + 1
assert [one["LoadBalancerArn"] for one in balancers["LoadBalancers"]] == [READY["load_balancer_arn"]]

first, rest = instances[:2], instances[2:]
wait("ec2", "instance-running", "--instance-ids", *instances)
entries = [f"Id={instance}" for instance in first]
rule = next(rule for rule in rules["Rules"] if not rule["IsDefault"])
listed, _, _, _, _, _ = together(
    ("ec2", "describe-instances", "--filters", f"Name=image-id,Values={READY['images']['2']}", "--page-size", "5"),
    ("ec2", "wait", "instance-exists", "--instance-ids", *instances),
    ("ec2", "create-tags", "--resources", *first, "--tags", "Key=segue:service,Value=boards"),
    ("elbv2", "register-targets", "--target-group-arn", group, "--targets", *entries),
    ("elbv2", "modify-listener", "--listener-arn", listener, "--default-actions",
     json.dumps(listeners["Listeners"][0]["DefaultActions"])),
    ("elbv2", "modify-rule", "--rule-arn", rule["RuleArn"], "--actions", json.dumps(rule["Actions"])),
)
found = [instance["InstanceId"] for one in listed["Reservations"] for instance in one["Instances"]]
assert set(instances) <= set(found), "six instances in pages of five"
wait("elbv2", "target-in-service", "--target-group-arn", group, "--targets", *entries)
health = run("elbv2", "describe-target-health", "--target-group-arn", group)["TargetHealthDescriptions"]
assert {one["Target"]["Id"] for one in health} == set(first)
run("elbv2", "deregister-targets", "--target-group-arn", group, "--targets", *entries)
wait("elbv2", "target-deregistered", "--target-group-arn", group, "--targets", *entries)
together(
    ("ec2", "stop-instances", "--instance-ids", *first),
    ("ec2", "terminate-instances", "--instance-ids", *rest),
)
wait("ec2", "instance-stopped", "--instance-ids", *first)
run("ec2", "start-instances", "--instance-ids", *first)
wait("ec2", "instance-running", "--instance-ids", *first)
wait("ec2", "instance-terminated", "--instance-ids", *rest)
print(json.dumps(sorted(CALLS)))
