"""Make the IAM role and instance profile `bench` of the head in cluster.yaml; once per AWS account.

    pip install boto3
    python examples/aws_profile.py [BUCKET]     # with the bucket of `--results s3://BUCKET/...`, if you use one

It may do what Ray's autoscaler does on the head (start, tag and end machines), read which images AWS has, and read and
write the bucket. Run again, it sets the role's policy anew.
"""

import json
import sys

import boto3

NAME = "bench"


def policy(bucket: str | None) -> dict[str, object]:
    """What the head may do."""
    start_and_end = ["ec2:Describe*", "ec2:RunInstances", "ec2:CreateTags", "ec2:StartInstances", "ec2:StopInstances",
                     "ec2:TerminateInstances"]  # fmt: skip
    statements: list[dict[str, object]] = [
        {"Effect": "Allow", "Action": start_and_end, "Resource": "*"},
        {"Effect": "Allow", "Action": ["ssm:GetParameter", "ssm:GetParameters"],
         "Resource": "arn:aws:ssm:*::parameter/aws/service/*"},
        # The first spot machine of an account needs a role of AWS's own.
        {"Effect": "Allow", "Action": "iam:CreateServiceLinkedRole", "Resource": "*",
         "Condition": {"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}}},
    ]  # fmt: skip
    if bucket:
        statements += [
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
             "Resource": f"arn:aws:s3:::{bucket}/*"},
        ]  # fmt: skip
    return {"Version": "2012-10-17", "Statement": statements}


def main(bucket: str | None = None) -> None:
    iam = boto3.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    try:
        iam.get_role(RoleName=NAME)
    except iam.exceptions.NoSuchEntityException:
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=document)
    iam.put_role_policy(RoleName=NAME, PolicyName=NAME, PolicyDocument=json.dumps(policy(bucket)))
    try:
        profile = iam.get_instance_profile(InstanceProfileName=NAME)["InstanceProfile"]
    except iam.exceptions.NoSuchEntityException:
        profile = iam.create_instance_profile(InstanceProfileName=NAME)["InstanceProfile"]
    if not profile["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=NAME, RoleName=NAME)
    print(f"{profile['Arn']} is ready; a new one takes about 15 seconds to be known everywhere")


if __name__ == "__main__":
    main(*sys.argv[1:])
